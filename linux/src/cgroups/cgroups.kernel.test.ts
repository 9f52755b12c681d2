import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { listProcesses } from '../proc/process-stat.js';
import { Reaper, reapChild } from '../process/reaper.js';
import { posixSpawn } from '../process/spawn.js';
import { asRoot, inMountNamespace, inNamespaces, needs, withCensus } from '../testing/index.js';
import {
  Cgroups,
  enableControllers,
  freeze,
  type Hierarchy,
  killAll,
  removeAll,
  watchEvent,
  watchFile,
  watchPopulated,
} from './index.js';

withCensus({ reapOrphans: true });

const NAME = 'caisson-cgroups-test';
const cgroups = new Cgroups();
afterAll(() => cgroups.close());

const label = (hierarchy: Hierarchy): string =>
  `version ${hierarchy.version}, ${hierarchy.controllers.join(',') || hierarchy.name || 'no controllers'}`;

/** Every hierarchy of this host by its label; none where it has no cgroups. */
const all = cgroups.hierarchies().map((hierarchy) => [label(hierarchy), hierarchy] as const);
/** Those whose new cgroups take processes at once: cpuset's first need cpus and memory nodes. */
const taking = all.filter(([, { version, controllers }]) => version === 2 || !controllers.includes('cpuset'));
const unified = cgroups.unified();
const onUnified = needs(test, { root: true, host: () => (unified ? undefined : 'no cgroup2 is mounted') });
const onVersion1 = (controller: string) =>
  needs(test, {
    root: true,
    host: () =>
      cgroups.find(controller)?.version === 1
        ? undefined
        : `the version 1 controller ${controller} is not mounted`,
  });
const rootTest = asRoot(test);

/** Each hierarchy holds its root from its first use on. */
const closeAll = () => all.forEach(([, hierarchy]) => hierarchy.close());

/** A shell in a cgroup that then does what the script says. */
async function inCgroup(hierarchy: Hierarchy, script: string): Promise<ChildProcess> {
  const shell = spawn('sh', ['-c', `read -r _; echo ready; ${script}`], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, // the distribution's programs: other users can run them
  });
  hierarchy.cgroup(NAME).add(shell.pid as number);
  shell.stdin?.write('\n');
  await once(shell.stdout as NodeJS.ReadableStream, 'data');
  return shell;
}

/** Every process of it forks for as long as it may, and ignores SIGTERM. */
const FORK_BOMB = `
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try: os.fork()
    except OSError: pass
    time.sleep(.01)
`;

/** Resolves once `count` processes are in the test's cgroup: they are forking right now. */
async function populated(hierarchy: Hierarchy, count: number): Promise<void> {
  while (hierarchy.cgroup(NAME).allPids().length < count) await sleep(5);
}

describe('a cgroup', () => {
  afterEach(async () => {
    for (const [, hierarchy] of all) {
      const cgroup = hierarchy.cgroup(NAME);
      if (!cgroup.exists()) continue;
      await killAll(cgroup);
      await removeAll(cgroup);
    }
    closeAll();
  });

  describe.each(all)('of %s', (_, hierarchy) => {
    rootTest('is made with those above it, listed, and removed with those below it', async () => {
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.child('a/b').create();
      cgroup.child('c').create();
      expect(
        cgroup
          .children()
          .map(({ path }) => path)
          .sort(),
      ).toEqual([`${NAME}/a`, `${NAME}/c`]);
      expect(
        cgroup
          .subtree()
          .map(({ path }) => path)
          .at(-1),
      ).toBe(NAME);
      expect(() => cgroup.create()).toThrow(expect.objectContaining({ code: 'EEXIST', syscall: 'mkdirat' }));
      expect(() => cgroup.child('a').removeDirectory()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
      await removeAll(cgroup);
      expect(cgroup.exists()).toBe(false);
      expect(cgroup.children()).toEqual([]);
      expect(cgroup.pids()).toEqual([]);
      await removeAll(cgroup); // what does not exist is removed
      expect(() => cgroup.removeDirectory()).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    });

    rootTest('says which cgroup, file and value the kernel refused', () => {
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.create();
      expect(() => cgroup.write('cgroup.procs', 'nonsense')).toThrow(
        `write(cgroup="${hierarchy.mountPoint}/${NAME}", file="cgroup.procs", value="nonsense"): EINVAL`,
      );
      expect(() => cgroup.read('no.such.file')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
      expect(() => cgroup.add(0x7ffffffe)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    });

    rootTest('belongs to a user, its files do not', () => {
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.create();
      cgroup.setOwner(1000, 1001);
      expect(statSync(String(cgroup))).toMatchObject({ uid: 1000, gid: 1001 });
      expect(statSync(`${cgroup}/cgroup.procs`).uid).toBe(0);
    });
  });

  describe.each(taking)('of %s', (_, hierarchy) => {
    rootTest('has the processes that were added, and their children', async () => {
      hierarchy.cgroup(NAME).create();
      const shell = await inCgroup(hierarchy, 'sleep 1000; :');
      await populated(hierarchy, 2);
      const pids = hierarchy.cgroup(NAME).pids();
      expect(pids).toContain(shell.pid);
      expect(hierarchy.cgroupOf(shell.pid as number)?.path).toBe(NAME);
      await killAll(hierarchy.cgroup(NAME));
    });

    rootTest('ends with all that is in it and below: daemons, ones that ignore SIGTERM', async () => {
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.child('below').create();
      await inCgroup(
        hierarchy,
        'trap "" TERM HUP; setsid sleep 1001 & (setsid sh -c "trap \\"\\" TERM; sleep 1002; :" &) ; sleep 1003; :',
      );
      await populated(hierarchy, 5);
      cgroup.child('below').add(cgroup.pids()[1] as number);
      const pids = cgroup.allPids();
      await killAll(cgroup);
      expect(cgroup.allPids()).toEqual([]);
      expect(listProcesses().filter(({ pid, state }) => pids.includes(pid) && state !== 'Z')).toEqual([]);
      await removeAll(cgroup);
    });

    rootTest('N14: is removed once its last process was reaped', async () => {
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.create();
      const pid = posixSpawn({ path: '/bin/sleep', argv: ['sleep', '1000'], fileActions: [] });
      cgroup.add(pid);
      await killAll(cgroup);
      setTimeout(() => reapChild(pid), 30); // meanwhile version 1 says EBUSY
      await removeAll(cgroup);
      expect(cgroup.exists()).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 40));
    });
  });

  const tracking = taking.filter(([, h]) => h.version === 2 || h.controllers.includes('freezer'));
  describe.each(tracking)('of %s', (_, hierarchy) => {
    const bombTest = needs(test, { root: true, programs: ['python3', 'prlimit', 'setpriv'] });
    bombTest('ends with a fork bomb in it', async () => {
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.create();
      // As a user, since root has no limit of processes: the machine shall survive the test.
      await inCgroup(
        hierarchy,
        `exec prlimit --nproc=200 setpriv --reuid 54321 --regid 54321 --clear-groups python3 -c '${FORK_BOMB}'`,
      );
      await populated(hierarchy, 100);
      await killAll(cgroup);
      expect(cgroup.allPids()).toEqual([]);
    });
  });

  onVersion1('freezer')(
    'N14: a frozen one ends, thawed for SIGKILL, also where a part froze itself',
    async () => {
      const hierarchy = cgroups.find('freezer') as Hierarchy;
      const cgroup = hierarchy.cgroup(NAME);
      cgroup.child('below').create();
      await inCgroup(hierarchy, 'sleep 1000 & sleep 1001; :');
      await populated(hierarchy, 3);
      cgroup.child('below').add(cgroup.pids()[1] as number);
      cgroup.child('below').write('freezer.state', 'FROZEN');
      expect(await freeze(cgroup)).toBe(true);
      await killAll(cgroup);
      expect(cgroup.allPids()).toEqual([]);
    },
  );

  onVersion1('cpuset')('takes no process without cpus (cpuset)', () => {
    const cgroup = cgroups.find('cpuset')?.cgroup(NAME);
    cgroup?.create();
    expect(() => cgroup?.add(process.pid)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  });

  onUnified('tells when it becomes populated and when it becomes empty', async () => {
    const reaper = new Reaper();
    const hierarchy = unified as Hierarchy;
    hierarchy.cgroup(NAME).create();
    const seen: boolean[] = [];
    let tell = () => {};
    const stop = watchPopulated(hierarchy.cgroup(NAME), reaper, (value) => {
      seen.push(value);
      tell();
    });
    const next = () =>
      new Promise<void>((resolve) => {
        tell = resolve;
      });
    const first = next();
    const shell = await inCgroup(hierarchy, 'read -r _');
    await first;
    const second = next();
    shell.stdin?.end();
    await second;
    stop();
    stop();
    expect(seen).toEqual([false, true, false]);
    expect(() => watchFile(hierarchy.cgroup('caisson-none'), 'cgroup.events', reaper, tell)).toThrow(
      'ENOENT',
    );
    reaper.close();
  });

  onVersion1('memory')('tells when it is out of memory', async () => {
    const reaper = new Reaper();
    const hierarchy = cgroups.find('memory') as Hierarchy;
    const cgroup = hierarchy.cgroup(NAME);
    cgroup.create();
    cgroup.write('memory.limit_in_bytes', 8 * 2 ** 20);
    const told = new Promise<void>((resolve) => {
      const stop = watchEvent(cgroup, 'memory.oom_control', reaper, () => {
        stop();
        resolve();
      });
    });
    const shell = await inCgroup(hierarchy, 'exec tail /dev/zero');
    const [, signal] = await once(shell, 'exit');
    await told;
    expect(signal).toBe('SIGKILL');
    expect(cgroup.readFields('memory.oom_control').oom_kill).toBe(1);
    expect(() => watchEvent(cgroup, 'memory.stat', reaper, () => {})).toThrow('EINVAL');
    reaper.close();
  });

  onUnified('of version 2 gets controllers from the root down', async () => {
    const hierarchy = unified as Hierarchy;
    const root = hierarchy.cgroup('');
    const [controller] = hierarchy.controllers;
    if (!controller) return; // all are bound to version 1
    const before = root.read('cgroup.subtree_control');
    const cgroup = hierarchy.cgroup(`${NAME}/a/b`);
    cgroup.create();
    enableControllers(cgroup, [controller]);
    expect(cgroup.read('cgroup.controllers').split(' ')).toContain(controller);
    expect(() => enableControllers(cgroup, ['nonsense'])).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    await removeAll(hierarchy.cgroup(NAME));
    if (!before.split(' ').includes(controller)) root.write('cgroup.subtree_control', `-${controller}`);
  });
});

describe('the hierarchies of a host', () => {
  afterEach(closeAll);

  test('are found by controller', () => {
    for (const [, hierarchy] of all)
      for (const controller of hierarchy.controllers) expect(cgroups.find(controller)).toBe(hierarchy);
    expect(cgroups.find('nonsense')).toBeUndefined();
    if (unified) expect(cgroups.tracking()).toBe(unified);
  });

  test.each(['/a', 'a//b', 'a/', './a', '../a', 'a/../../b', 'a\0b'])('F1: refuse the path %j', (path) => {
    for (const [, hierarchy] of all)
      expect(() => hierarchy.cgroup(path)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  rootTest('F4: are refused where another filesystem was mounted over them', () => {
    const hidden = inMountNamespace(({ cgroups: module, syscalls }) => {
      const host = new module.Cgroups();
      const [hierarchy] = host.hierarchies();
      if (!hierarchy) return 'ENODEV';
      syscalls.mount({ source: 'none', target: hierarchy.mountPoint, type: 'tmpfs' });
      try {
        hierarchy.cgroup('x').create();
        return 'made';
      } catch (error) {
        return (error as { code: string }).code;
      }
    }, null);
    expect(hidden).toBe('ENODEV');
  });

  onVersion1('pids')('are found twice mounted, and without an own view of the rest', () => {
    const found = inNamespaces(
      ['--mount', '--propagation=private', '--cgroup'],
      ({ cgroups: module, syscalls, fs }) => {
        fs.mkdirSync('/tmp/caisson-second', { recursive: true });
        syscalls.mount({ source: 'none', target: '/tmp/caisson-second', type: 'tmpfs' });
        fs.mkdirSync('/tmp/caisson-second/pids');
        syscalls.mount({
          source: 'cgroup',
          target: '/tmp/caisson-second/pids',
          type: 'cgroup',
          data: 'pids',
        });
        const host = new module.Cgroups();
        const hierarchies = host.hierarchies().filter(({ controllers }) => controllers.includes('pids'));
        return [hierarchies.length, host.find('pids')?.cgroupOf('self')?.path];
      },
      null,
    );
    expect(found).toEqual([1, '']);
  });

  const netCls = needs(test, {
    root: true,
    host: () => {
      if (cgroups.find('net_cls')) return 'net_cls is mounted already';
      return /^net_cls\t\d+\t\d+\t1$/m.test(readFileSync('/proc/cgroups', 'utf8'))
        ? undefined
        : 'the kernel has no net_cls';
    },
  });
  netCls('get a version 1 controller that is not mounted', () => {
    const [path, classid] = inMountNamespace(({ cgroups: module, syscalls, fs }) => {
      syscalls.mount({ source: 'none', target: '/mnt', type: 'tmpfs' });
      fs.mkdirSync('/mnt/net_cls');
      const host = new module.Cgroups();
      const hierarchy = host.ensure('net_cls', '/mnt/net_cls');
      const cgroup = hierarchy?.cgroup('caisson/one');
      cgroup?.create();
      cgroup?.write('net_cls.classid', 0x10001);
      const answer = [host.ensure('net_cls')?.mountPoint, cgroup?.readNumber('net_cls.classid')];
      cgroup?.removeDirectory();
      hierarchy?.cgroup('caisson').removeDirectory();
      host.close();
      return answer;
    }, null);
    expect([path, classid]).toEqual(['/mnt/net_cls', 0x10001]);
    expect(cgroups.ensure('no-such-controller')).toBeUndefined();
  });
});
