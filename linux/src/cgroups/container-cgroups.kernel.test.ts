import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { needs, withCensus } from '../testing/index.js';
import { containerPath, lineage } from './container-path.js';
import {
  type Cgroup,
  type CgroupContainer,
  Cgroups,
  ContainerCgroups,
  type ContainerCgroupsSettings,
  type Hierarchy,
  killAll,
  removeAll,
  withLock,
} from './index.js';
import { readMark, writeMark } from './mark.js';

withCensus({ reapOrphans: true });

const ROOT = 'caisson-containers-test';
const cgroups = new Cgroups();
afterAll(() => cgroups.close());

/** A controller of each version, as far as this host has them. */
const version1 = ['pids', 'memory', 'cpu'].find((name) => cgroups.find(name)?.version === 1);
const version2 = ['pids', 'memory', 'cpu', 'hugetlb'].find((name) => cgroups.find(name)?.version === 2);
/** What is true of both versions is tried on the first, where there is one. */
const usual = version1 ?? version2;
const having = (what: string, controller: string | undefined) =>
  needs(test, { root: true, host: () => (controller ? undefined : `no controller${what} is mounted`) });
const v1Test = having(' of cgroup version 1', version1);
const v2Test = having(' of cgroup version 2', version2);
const cgroupTest = having('', usual);

const users: ContainerCgroups[] = [];
const store = new Map<string, unknown>();
const running: ChildProcess[] = [];

/** What one isolator has; all share the checkpoints here, as if each had written the same. */
function groups(controller: string, settings: Partial<ContainerCgroupsSettings> = {}): ContainerCgroups {
  const made = new ContainerCgroups(cgroups, store, {
    controllers: [controller],
    root: ROOT,
    hierarchy: '/sys/fs/cgroup',
    delegate: true,
    destroyTimeout: 5000,
    ...settings,
  });
  users.push(made);
  return made;
}

function container(id: string, more: Partial<CgroupContainer> = {}): CgroupContainer {
  const parentId = lineage(id)[1];
  const runtimeDirectory = `/run/caisson-test/containers/${id}`;
  return { id, parentId, class: 'DEFAULT', runtimeDirectory, user: undefined, config: {}, ...more };
}

/** A process that lives until it is killed, or the test ends. */
async function sleeper(): Promise<number> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  running.push(child);
  return child.pid as number;
}

const at = (controller: string, path: string): Cgroup => (cgroups.find(controller) as Hierarchy).cgroup(path);

const OWN = { config: { shareCgroups: false } };
const FOREIGN = { runtimeDirectory: '/run/another/containers/web' };

test('C1: the path of a nested container lies below that of its parent, component by component', () => {
  expect(containerPath('caisson', 'web')).toBe('caisson/web');
  expect(containerPath('a/b', 'web.debug.x')).toBe('a/b/web/mesos/debug/mesos/x');
  expect(lineage('web.debug.x')).toEqual(['web.debug.x', 'web.debug', 'web']);
});

describe('the cgroups of a container', () => {
  afterEach(async () => {
    for (const child of running.splice(0)) {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await ended;
    }
    for (const controller of [version1, version2])
      if (controller && at(controller, ROOT).exists()) {
        await killAll(at(controller, ROOT));
        await removeAll(at(controller, ROOT));
      }
    store.clear();
    cgroups.close();
  });

  cgroupTest(
    'what is to be read of it is read before the first of those that share it removes it',
    async () => {
      const [reader, other] = [groups(usual!), groups(usual!)];
      const web = container('web');
      const own = reader.cgroup(web);
      for (const each of [reader, other]) each.create(web);
      const read: (number | undefined)[] = [];
      reader.beforeRemoval(web, () => read.push(own.pids().length));
      await other.remove(web);
      expect(own.exists()).toBe(false);
      await reader.remove(web);
      expect(read).toEqual([0]);
    },
  );

  v1Test('version 1: its processes are in it, and root and all are gone after it', async () => {
    const own = groups(version1!);
    const web = container('web', { user: { uid: 1234, gid: 5678 } });
    own.create(web, { figure: 7 });
    expect(statSync(String(own.cgroup(web)))).toMatchObject({ uid: 1234, gid: 5678 });
    expect(statSync(`${own.cgroup(web)}/cgroup.procs`).uid).toBe(0);
    const pid = await sleeper();
    await own.enter(web, pid);
    expect(own.cgroup(web).pids()).toEqual([pid]);
    expect(groups(version1!).details(web)).toMatchObject({ figure: 7, root: ROOT });
    expect(own.missing(web)).toEqual([]);
    await own.remove(web); // ends the process too
    expect(at(version1!, ROOT).exists()).toBe(false);
    expect(own.missing(web)).toEqual([`/sys/fs/cgroup/${version1}/${ROOT}/web`]);
    expect(store.size).toBe(0);
    await own.remove(web);
    await own.remove(container('never-seen'));
  });

  cgroupTest(
    'two isolators that share a hierarchy share the cgroup, and each removes what is left',
    async () => {
      const [one, two] = [groups(usual!), groups(usual!, { delegate: false })];
      const web = container('web');
      one.create(web);
      two.create(web);
      expect(String(two.cgroup(web))).toBe(String(one.cgroup(web)));
      await two.remove(web);
      await one.remove(web);
      expect(at(usual!, ROOT).exists()).toBe(false);
    },
  );

  cgroupTest('that of another agent is neither taken nor removed, nor are its processes ended', async () => {
    const [ours, theirs] = [groups(usual!), groups(usual!)];
    const [web, other] = [container('web'), container('web', FOREIGN)];
    theirs.create(other);
    const pid = await sleeper();
    await theirs.enter(other, pid);
    expect(() => ours.create(web)).toThrow(
      expect.objectContaining({
        code: 'CGROUP_TAKEN',
        kind: 'conflict',
        message: expect.stringContaining(`${FOREIGN.runtimeDirectory} has it`),
      }),
    );
    await ours.remove(web);
    expect(theirs.cgroup(other).allPids()).toEqual([pid]);
  });

  cgroupTest('that of processes which nobody has marked is neither taken nor removed', async () => {
    const own = groups(usual!);
    at(usual!, `${ROOT}/web`).create();
    const pid = await sleeper();
    at(usual!, `${ROOT}/web`).add(pid);
    expect(() => own.create(container('web'))).toThrow(`that are not its own are in it (${pid})`);
    await own.remove(container('web'));
    expect(at(usual!, `${ROOT}/web`).allPids()).toEqual([pid]);
  });

  v1Test('version 1: a control file of the kernel is no cgroup', async () => {
    const own = groups(version1!);
    expect(() => own.create(container('tasks'))).toThrow(expect.objectContaining({ code: 'CGROUP_TAKEN' }));
    await own.remove(container('tasks'));
    expect(at(version1!, ROOT).exists()).toBe(false);
  });

  cgroupTest('one that a launch which was cut off has left is taken', async () => {
    const own = groups(usual!);
    at(usual!, `${ROOT}/web`).create();
    own.create(container('web'));
    expect(readMark(own.cgroup(container('web')))).toBe(container('web').runtimeDirectory);
    await own.remove(container('web'));
    await own.remove(container('web'));
  });

  cgroupTest.each(['the root', 'the container'])(
    'nothing is left of a launch that was cut off after it made %s',
    async (what) => {
      groups(usual!).create(container('web'));
      const checkpoint = store.get('web');
      await groups(usual!).remove(container('web'));
      // As SIGKILL between mkdir and setxattr leaves it.
      store.set('web', checkpoint);
      at(usual!, what === 'the root' ? ROOT : `${ROOT}/web`).create();
      await groups(usual!).remove(container('web'));
      expect(at(usual!, ROOT).exists()).toBe(false);
    },
  );

  cgroupTest('a root that somebody else has made stays', async () => {
    const own = groups(usual!);
    at(usual!, ROOT).create();
    own.create(container('web'));
    await own.remove(container('web'));
    await own.remove(container('web'));
    expect(at(usual!, ROOT).exists()).toBe(true);
    expect(readMark(at(usual!, ROOT))).toBeUndefined();
  });

  cgroupTest('the root stays while another container is below it', async () => {
    const own = groups(usual!, { root: `${ROOT}/a` });
    own.create(container('web'));
    own.create(container('web2'));
    await own.remove(container('web'));
    expect(own.missing(container('web2'))).toEqual([]);
    await own.remove(container('web2'));
    expect(at(usual!, ROOT).exists()).toBe(false);
  });

  cgroupTest(
    'a container keeps the root that it was launched with, and so do those nested in it',
    async () => {
      const [web, nested] = [container('web'), container('web.a', OWN)];
      groups(usual!).create(web);
      const later = groups(usual!, { root: `${ROOT}-2` });
      expect(later.cgroup(web).path).toBe(`${ROOT}/web`);
      later.create(nested);
      expect(later.cgroup(nested).path).toBe(`${ROOT}/web/mesos/a`);
      await later.remove(nested);
      await later.remove(web);
      expect(at(usual!, ROOT).exists()).toBe(false);
    },
  );

  v1Test('version 1: a nested container is in the cgroup of the nearest one that has its own', async () => {
    const own = groups(version1!);
    const [web, sharing, alone] = [container('web'), container('web.a'), container('web.b', OWN)];
    const below = container('web.b.c');
    for (const each of [web, sharing, alone, below]) own.create(each);
    expect([sharing, alone, below].map((each) => own.cgroup(each).path)).toEqual([
      `${ROOT}/web`,
      `${ROOT}/web/mesos/b`,
      `${ROOT}/web/mesos/b`,
    ]);
    const [first, second] = [await sleeper(), await sleeper()];
    await own.enter(web, first);
    await own.enter(sharing, second);
    await own.remove(sharing); // shares: its parent's processes live on
    expect(own.cgroup(web).pids().sort()).toEqual([first, second].sort());
    await own.remove(below);
    await own.remove(alone);
    expect(own.cgroup(web).children()).toEqual([]);
    await own.remove(web);
  });

  cgroupTest('only one directly below an outermost container has its own', () => {
    const own = groups(usual!);
    expect(() => own.create(container('a.b.c', OWN))).toThrow(
      expect.objectContaining({ code: 'CGROUP_NESTED_TOO_DEEP', kind: 'invalid' }),
    );
    const debug = container('web.debug', { ...OWN, class: 'DEBUG' });
    own.create(container('web'));
    own.create(debug);
    expect(own.cgroup(debug).path).toBe(`${ROOT}/web`);
  });

  v2Test('version 2: limits in the container, processes in its leaf, also of each nested one', async () => {
    const hierarchy = cgroups.find(version2!) as Hierarchy;
    const before = hierarchy.cgroup('').read('cgroup.subtree_control');
    const own = groups(version2!);
    const [web, sharing, alone] = [container('web'), container('web.a'), container('web.b', OWN)];
    for (const each of [web, sharing, alone]) own.create(each);
    const pids = [await sleeper(), await sleeper(), await sleeper()] as const;
    await own.enter(web, pids[0]);
    await own.enter(sharing, pids[1]);
    await own.enter(alone, pids[2]);
    expect([web, sharing, alone].map((each) => own.cgroup(each).path)).toEqual([
      `${ROOT}/web`,
      `${ROOT}/web`,
      `${ROOT}/web/mesos/b`,
    ]);
    expect(own.cgroup(web).read('cgroup.controllers').split(' ')).toContain(version2);
    expect(own.cgroup(alone).read('cgroup.controllers').split(' ')).toContain(version2);
    expect(at(version2!, `${ROOT}/web/mesos/a/leaf`).pids()).toEqual([pids[1]]);
    expect(own.cgroup(web).allPids().sort()).toEqual([...pids].sort());
    await own.remove(sharing); // ends its process alone
    expect(own.cgroup(web).allPids().sort()).toEqual([pids[0], pids[2]].sort());
    await own.remove(alone);
    await own.remove(web);
    expect(at(version2!, ROOT).exists()).toBe(false);
    if (!before.split(' ').includes(version2!))
      hierarchy.cgroup('').write('cgroup.subtree_control', `-${version2}`);
  });

  cgroupTest('entering says that the process has ended', async () => {
    const own = groups(usual!);
    own.create(container('web'));
    await expect(own.enter(container('web'), 0x7ffffffe)).rejects.toMatchObject({ code: 'ESRCH' });
  });

  cgroupTest('a controller that the kernel does not have is named', () => {
    expect(() => groups('no-such').hierarchy()).toThrow(
      expect.objectContaining({
        code: 'CGROUP_UNAVAILABLE',
        message: expect.stringContaining(
          'no-such is not mounted and cannot be mounted at /sys/fs/cgroup/no-such',
        ),
      }),
    );
  });

  cgroupTest('one holder of the lock at a time, the next when it has done', async () => {
    const hierarchy = cgroups.find(usual!) as Hierarchy;
    const nested = await withLock(hierarchy, () => withLock(hierarchy, () => 'in', { timeoutMs: 30 }));
    expect(nested).toBe('in');
    const locked = await new Promise<string>((resolve) => {
      void withLock(hierarchy, () => {
        // A second descriptor in the same process is a second holder.
        const other = withLock(hierarchy, () => 'in', { timeoutMs: 0 });
        void other.catch((error) => resolve(error.code));
      });
    });
    expect(locked).toBe('CGROUP_LOCKED');
  });

  cgroupTest('a mark is text of any length that a path has, and is replaced', () => {
    const cgroup = at(usual!, ROOT);
    expect(readMark(cgroup)).toBeUndefined();
    cgroup.create();
    for (const mark of ['x'.repeat(1000), '/run/ünïcode']) {
      writeMark(cgroup, mark);
      expect(readMark(cgroup)).toBe(mark);
    }
  });
});
