/** The isolators of cgroups with core and launcher: limits, figures, network classes, and what is left (nothing). */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Cgroups, type Hierarchy } from '@caisson/linux/cgroups';
import { umount } from '@caisson/linux/syscalls';
import { busyboxProblem, busyboxRootfs, needs, withCensus } from '@caisson/linux/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Folder, repository } from './caisson.js';
import { Containers, type ContainersOptions, newDirectory } from './containers.js';
import { Running } from './running.js';

const LIMITS = ['cgroups/cpu', 'cgroups/mem', 'cgroups/pids'];
const ISOLATION = ['filesystem/linux', 'namespaces/pid', ...LIMITS, 'cgroups/net_cls'];
const PYTHON = '/usr/bin/python3';
const ROOT = 'caisson-scenario';

const cgroups = new Cgroups();
const possible = process.platform === 'linux' && process.getuid?.() === 0;
const missing = possible
  ? ['cpu', 'memory', 'pids'].filter((controller) => !cgroups.find(controller))
  : ['any controller'];
const hasNetCls = possible && /^net_cls\t\d+\t\d+\t1$/m.test(read('/proc/cgroups'));
const why = () => {
  if (missing.length > 0) return `no cgroup controller ${missing.join(', ')} is mounted`;
  return hasNetCls ? undefined : 'the kernel has no cgroup controller net_cls';
};
/** In a network namespace of its own, gone with the command. */
const noMatch = (): string | undefined =>
  spawnSync('unshare', ['--net', 'iptables', '-A', 'OUTPUT', '-m', 'cgroup', '--cgroup', '1'], {
    stdio: 'ignore',
  }).status === 0
    ? undefined
    : 'iptables cannot match cgroups on this kernel';

const kernelTest = needs(test, { root: true, host: why });
const rootfsTest = needs(test, { root: true, busybox: true, host: () => why() ?? busyboxProblem() });
const packetTest = needs(test, {
  root: true,
  programs: ['iptables', 'iptables-save', PYTHON],
  host: () => why() ?? noMatch(),
});
const bombTest = needs(test, { root: true, programs: [PYTHON], host: why });

function read(path: string): string {
  return spawnSync('cat', [path], { encoding: 'utf8' }).stdout;
}

let containers: Containers;
let directory = '';
let mountedByUs = false;

const options = (more: Partial<ContainersOptions> = {}): ContainersOptions => ({
  isolation: ISOLATION,
  directory,
  flags: { cgroups_root: ROOT, cgroups_net_cls_primary_handle: '0x0010' },
  ...more,
});

const hierarchy = (controller: string): Hierarchy => cgroups.find(controller) as Hierarchy;
const versionOf = (controller: string): number => hierarchy(controller).version;
const classidOf = async (id: string) => (await containers.core.status(id)).cgroup_info?.net_cls?.classid;
/** Of cgroups that others have made too: rules alone, without counters. */
const iptablesRules = (): string[] =>
  spawnSync('iptables-save', { encoding: 'utf8' })
    .stdout?.split('\n')
    .filter((line) => line.startsWith('-A')) ?? [];

beforeAll(() => {
  if (!possible || !hasNetCls) return;
  // Mounted once, as a host has it mounted, so that each test leaves the mount table as it was.
  mountedByUs = cgroups.find('net_cls') === undefined;
  cgroups.ensure('net_cls');
});
afterAll(() => {
  const mountPoint = mountedByUs ? cgroups.find('net_cls')?.mountPoint : undefined;
  cgroups.close();
  if (mountPoint) umount(mountPoint);
});
beforeEach(async () => {
  directory = newDirectory();
});
afterEach(async () => {
  await containers?.close();
  cgroups.close();
});
withCensus({ reapOrphans: true });

describe('limits', () => {
  kernelTest(
    'of memory: each of 10 that take 128 MiB of 64 ends with the limitation and its figures',
    async () => {
      containers = await Containers.open(options());
      for (let round = 0; round < 10; round += 1) {
        const end = await containers.run('exec dd if=/dev/zero of=/dev/null bs=128M count=1', {
          resources: { mem: 64 },
        });
        expect(end).toMatchObject({
          signal: 'SIGKILL',
          reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
          message: expect.stringMatching(/^Memory limit exceeded: Requested: 64MB Maximum Used: 6[34]\w*B\n/),
          limitation: { resources: { mem: expect.any(Number) } },
        });
      }
    },
  );

  kernelTest('and figures of a container that runs, updated while it does', async () => {
    containers = await Containers.open(options({ flags: { cgroups_root: ROOT, cgroups_enable_cfs: true } }));
    const resources = { cpus: 0.5, mem: 64, pids: 20 };
    await containers.start('sleep 1000', { resources }, 'web');
    expect(await containers.core.usage('web')).toMatchObject({
      cpus_limit: 0.5,
      cpus_soft_limit: 0.5,
      cpus_user_time_secs: expect.any(Number),
      cpus_nr_periods: expect.any(Number),
      mem_limit_bytes: 64 * 2 ** 20,
      mem_total_bytes: expect.any(Number),
      pids_limit: 20,
      pids_current: expect.any(Number),
    });
    await containers.core.update('web', { cpus: 1, mem: 128, pids: 30 });
    expect(await containers.core.usage('web')).toMatchObject({
      cpus_limit: 1,
      mem_limit_bytes: 128 * 2 ** 20,
      pids_limit: 30,
    });
    expect(await containers.core.status('web')).not.toHaveProperty('cgroup_info');
  });

  bombTest('of processes: without a pid namespace, destroy ends all of a fork bomb', async () => {
    const isolation = ['filesystem/linux', 'cgroups/pids'];
    containers = await Containers.open(options({ isolation, flags: { cgroups_root: ROOT } }));
    const bomb = ['import os, signal, time', 'signal.signal(signal.SIGTERM, signal.SIG_IGN)', 'while True:'];
    bomb.push(' try: os.fork()', ' except OSError: pass', ' time.sleep(.01)');
    // As a user with a limit of its own, so that the machine survives the test.
    const config = { user: '54323:54323', rlimits: { NPROC: { soft: 300, hard: 300 } } };
    await containers.start(
      `exec ${PYTHON} -c '${bomb.join('\n')}'`,
      { ...config, resources: { pids: 50 } },
      'bomb',
    );
    for (;;) {
      const { pids_refused_forks = 0 } = await containers.core.usage('bomb');
      if (pids_refused_forks > 0) break;
      await new Promise(setImmediate);
    }
    const cgroup = hierarchy('pids').cgroup(`${ROOT}/bomb`);
    expect(cgroup.allPids().length).toBeGreaterThan(20);
    await containers.core.destroy('bomb');
    expect(cgroup.exists()).toBe(false);
  });

  rootfsTest('are seen in a root filesystem, where programs look for them, read-only', async () => {
    containers = await Containers.open(options());
    const rootfs = busyboxRootfs(join(directory, 'rootfs'));
    const memory = versionOf('memory') === 2 ? 'memory.max' : 'memory/memory.limit_in_bytes';
    const pids = versionOf('pids') === 2 ? 'pids.max' : 'pids/pids.max';
    const script = `cd /sys/fs/cgroup; cat ${memory} ${pids}; echo max > ${pids}; mkdir own; :`;
    const end = await containers.run(script, { rootfs, resources: { mem: 64, pids: 20 } });
    expect(end.stdout).toBe(`${64 * 2 ** 20}\n20\n`);
    expect(end.stderr).toMatch(/Read-only file system/);
    expect(existsSync(join(rootfs, 'sys/fs'))).toBe(false);
  });
});

describe('network classes', () => {
  kernelTest('C1: are not changed by a container of uid 0; privileged, the same script does it', async () => {
    containers = await Containers.open(options());
    const { mountPoint } = hierarchy('net_cls');
    const script = `
      for file in ${mountPoint}/${ROOT}/*/net_cls.classid; do echo 0x990001 > $file && echo written; done
      mkdir ${mountPoint}/caisson-own && rmdir ${mountPoint}/caisson-own && echo made
      mkdir own && mount -t cgroup -o net_cls none own && umount own && echo mounted
      :`;
    expect((await containers.run(script, { privileged: true })).stdout).toBe('written\nmade\nmounted\n');
    const { stdout, stderr } = await containers.run(script);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /Read-only file system[\s\S]*Read-only file system[\s\S]*(permission denied|not permitted)/i,
    );
  });

  kernelTest('that are all in use fail the launch, name isolator and phase, and leave nothing', async () => {
    const flags = { ...options().flags, cgroups_net_cls_secondary_handles: '0x0001,0x0001' };
    containers = await Containers.open(options({ flags }));
    await containers.start('sleep 1000', {}, 'one');
    await expect(containers.start('sleep 1000', {}, 'two')).rejects.toMatchObject({
      code: 'NO_FREE_HANDLES',
      kind: 'exhausted',
      message: expect.stringMatching(
        /^cgroups\/net_cls failed in prepare of container two: .*no free handles/,
      ),
    });
    expect(hierarchy('net_cls').cgroup(`${ROOT}/two`).exists()).toBe(false);
    expect(hierarchy('pids').cgroup(`${ROOT}/two`).exists()).toBe(false);
    await containers.core.destroy('one');
    await containers.start('sleep 1000', {}, 'two');
    expect(await classidOf('two')).toBe(0x100001);
  });

  packetTest('count the packets of one container and none of another, and cut one off alone', async () => {
    containers = await Containers.open(options());
    const before = iptablesRules();
    // Sends datagrams to itself through the loopback of the host, and tells how many it got.
    const echo = (count: number) => `exec ${PYTHON} -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
s.settimeout(0.3)
got = 0
for _ in range(${count}):
    try:
        s.sendto(b"x", s.getsockname())
        s.recv(1)
        got += 1
    except OSError: pass
print(got)'`;
    const classes = [0x100001, 0x100002] as const;
    const send = async (index: 0 | 1, count: number) =>
      Number((await containers.run(echo(count), { netClsClassid: classes[index] })).stdout);
    const match = (classid: number) => ['-o', 'lo', '-p', 'udp', '-m', 'cgroup', '--cgroup', String(classid)];
    const rules = [...classes.map(match), [...match(classes[0]), '-j', 'DROP']];
    const iptables = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync('iptables', ['-w', ...args], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`iptables ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    const counted = () =>
      [...iptables('-L', 'OUTPUT', '-nvx').matchAll(/^ *(\d+) .*cgroup (?:104857[78]|0x10000[12])/gm)]
        .map(([, count]) => Number(count))
        .slice(0, 2);
    const made: string[][] = [];
    const add = (rule: string[]) => {
      iptables('-A', 'OUTPUT', ...rule);
      made.push(rule);
    };
    try {
      rules.slice(0, 2).forEach(add);
      expect(await send(0, 7)).toBe(7);
      expect(counted()).toEqual([7, 0]);
      expect(await send(1, 3)).toBe(3);
      expect(counted()).toEqual([7, 3]);
      add(rules[2]!);
      expect(await Promise.all([send(0, 4), send(1, 4)])).toEqual([0, 4]);
    } finally {
      for (const rule of made.reverse()) iptables('-D', 'OUTPUT', ...rule);
    }
    expect(iptablesRules()).toEqual(before);
  });
});

describe('a restart of the agent', () => {
  kernelTest('changes nothing: limits, classes, figures; and the end leaves nothing', async () => {
    containers = await Containers.open(options());
    await containers.start('sleep 1000', { resources: { cpus: 0.5, mem: 64, pids: 9 } }, 'web');
    await containers.start('sleep 1000', {}, 'other');
    await containers.core.update('web', { cpus: 0.75, mem: 96, pids: 10 });
    await containers.leave();
    containers = await Containers.open(options());
    expect([await classidOf('web'), await classidOf('other')]).toEqual([0x100001, 0x100002]);
    expect(await containers.core.usage('web')).toMatchObject({
      cpus_soft_limit: 0.75,
      mem_limit_bytes: 96 * 2 ** 20,
      pids_limit: 10,
    });
    await containers.core.destroy('web');
    await containers.start('sleep 1000', {}, 'third');
    expect(await classidOf('third')).toBe(0x100001);
    await containers.leave();
    // Another primary handle and another root: who runs keeps what he has.
    const flags = { cgroups_root: `${ROOT}-2`, cgroups_net_cls_primary_handle: '0x0020' };
    containers = await Containers.open(options({ flags }));
    await containers.start('sleep 1000', {}, 'fourth');
    expect(await Promise.all(['other', 'third', 'fourth'].map(classidOf))).toEqual([
      0x100002, 0x100001, 0x200001,
    ]);
    expect(hierarchy('pids').cgroup(`${ROOT}-2/fourth`).exists()).toBe(true);
  });

  kernelTest('tells of a container that ran out of memory meanwhile', async () => {
    containers = await Containers.open(options());
    await containers.start(
      'sleep 0.3; exec dd if=/dev/zero of=/dev/null bs=128M count=1',
      { resources: { mem: 64 } },
      'web',
    );
    const cgroup = hierarchy('pids').cgroup(`${ROOT}/web`);
    await containers.leave();
    while (cgroup.allPids().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    containers = await Containers.open(options());
    expect(await containers.core.wait('web')).toMatchObject({
      signal: 'SIGKILL',
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    });
  });

  kernelTest('and a reload: a new generation gives no class of the last one', async () => {
    containers = await Containers.open(options());
    await containers.start('sleep 1000', {}, 'old');
    await containers.core.reload(containers.core.configuration);
    await containers.start('sleep 1000', {}, 'new');
    expect([await classidOf('old'), await classidOf('new')]).toEqual([0x100001, 0x100002]);
    await containers.core.destroy('old');
    await containers.start('sleep 1000', {}, 'newer');
    expect(await classidOf('newer')).toBe(0x100001);
  });
});

describe('nested containers', () => {
  kernelTest('share, or have their own; the end of the outermost ends all', async () => {
    const isolation = ISOLATION.filter((name) => name !== 'namespaces/pid');
    containers = await Containers.open(options({ isolation }));
    await containers.start('sleep 1000', { resources: { mem: 128, pids: 30 } }, 'web');
    await containers.start('sleep 1000', {}, 'web.a');
    await containers.start('sleep 1000', { shareCgroups: false, resources: { mem: 64, pids: 5 } }, 'web.b');
    expect(await Promise.all(['web', 'web.a', 'web.b'].map(classidOf))).toEqual([
      0x100001, 0x100001, 0x100002,
    ]);
    expect(await containers.core.usage('web.b')).toMatchObject({
      pids_limit: 5,
      mem_limit_bytes: 64 * 2 ** 20,
    });
    expect(await containers.core.usage('web')).toMatchObject({
      pids_limit: 30,
      pids_current: expect.any(Number),
    });
    await containers.core.destroy('web.a');
    expect((await containers.core.usage('web')).pids_current).toBeGreaterThan(0);
    await containers.core.destroy('web');
    expect(hierarchy('pids').cgroup(ROOT).exists()).toBe(false);
  });
});

describe('caisson run, killed by SIGKILL', () => {
  const folder = new Folder({
    launcher: 'linux',
    isolation: ISOLATION,
    options: {
      ...Object.fromEntries(LIMITS.map((name) => [name, { root: ROOT }])),
      'cgroups/net_cls': { root: ROOT, primaryHandle: 0x10 },
    },
  });
  afterAll(() => folder.remove());

  /** The build with failpoints, which users don't have. */
  const killedAt = (step: string) => {
    const argv = [join(repository, 'agent/dist/cli.js'), 'run', '--quiet', '--', 'true'];
    const env = { ...folder.environment, CAISSON_FAILPOINTS: `${step}=kill` };
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    return new Running(
      spawn(process.execPath, ['--conditions=failpoints', ...argv], {
        cwd: folder.path,
        env,
        stdio: [...stdio],
      }),
    ).ended;
  };

  for (const step of [
    'cgroups/net_cls.created',
    'launch.forked',
    'cgroups/net_cls.entered',
    'launch.isolated',
    'destroy.killed',
    'cgroups/net_cls.removed',
  ])
    kernelTest(`at ${step}: nothing is left after the next start, and it has the first class`, async () => {
      expect(await killedAt(step)).toMatchObject({ signal: 'SIGKILL', stderr: '' });
      const { mountPoint } = hierarchy('net_cls');
      const next = await folder.caisson([
        'run',
        '--quiet',
        '--',
        'sh',
        '-c',
        `cat ${mountPoint}/${ROOT}/*/net_cls.classid`,
      ]);
      expect(next).toMatchObject({ status: 0, stdout: `${0x100001}\n` });
    });
});
