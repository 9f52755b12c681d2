import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Reaper } from '@caisson/linux/process';
import { mount, prlimit, RLIMITS, umount } from '@caisson/linux/syscalls';
import { SLOWNESS } from '@caisson/linux/testing';
import { afterEach, describe, expect } from '@jest/globals';
import { compileLaunch } from './compile.js';
import { forkContainer } from './fork.js';
import { ForkServer, type LaunchKind } from './fork-server.js';
import { kindOf } from './start-supervisor.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';
import type { PlanEdit } from './testing/standard-plan.js';

const kit = useLaunchKit({ reapOrphans: true });

describe('too few descriptors (EMFILE)', () => {
  const before = prlimit(0, RLIMITS.NOFILE);
  const restore = () => void prlimit(0, RLIMITS.NOFILE, before);
  const openNow = () => readdirSync('/proc/self/fd').map(Number);
  afterEach(restore);

  /** So that exactly `count` more can be opened: the limit is on the number, so gaps are filled. */
  function leave(count: number): number[] {
    const highest = Math.max(...openNow());
    prlimit(0, RLIMITS.NOFILE, { soft: BigInt(highest + 1 + count), hard: before.hard });
    const fillers: number[] = [];
    try {
      // The lowest number that is free, each time (open(2)).
      for (let fd = openSync('/', 'r'); ; fd = openSync('/', 'r')) {
        if (fd > highest) {
          closeSync(fd);
          return fillers;
        }
        fillers.push(fd);
      }
    } catch {
      return fillers; // with 0 to be left
    }
  }

  async function sweep(body: () => Promise<void>): Promise<string[]> {
    const outcomes: string[] = [];
    for (let count = 1; count < 24; count++) {
      const fillers = leave(count);
      const known = openNow().length;
      const outcome = await body().then(
        () => 'done',
        (error: NodeJS.ErrnoException) => String(error.code),
      );
      await kit.endAll();
      restore();
      const left = openNow().length - known;
      for (const fd of fillers) closeSync(fd);
      outcomes.push(left === 0 ? outcome : `${outcome}, ${left} left open`);
    }
    return outcomes;
  }

  /** Fails for so long as there are too few, and says so; then works. */
  function expectGivesUpCleanly(outcomes: readonly string[]): void {
    const first = outcomes.indexOf('done');
    expect(first).toBeGreaterThan(3);
    expect(new Set(outcomes.slice(0, first))).toEqual(new Set(['EMFILE']));
    expect(new Set(outcomes.slice(first))).toEqual(new Set(['done']));
  }

  kernelTest.each<[string, PlanEdit]>([
    ['with files', {}],
    ['with a terminal', { stdio: 'terminal' }],
    ['with an init', { init: true }],
  ])('a launch %s fails as a whole or works, at every number of descriptors left', async (_, edit) => {
    const launch = async () => {
      await kit.run(['true'], edit);
    };
    expectGivesUpCleanly(await sweep(launch));
  });

  kernelTest('a fork server is there, or nothing of it', async () => {
    const start = async () => ForkServer.start(kit.directory, kit.directory, kit.reaper).end();
    const outcomes = await sweep(start);
    expect(outcomes[0]).toBe('EMFILE');
    expect(new Set(outcomes)).toEqual(new Set(['EMFILE', 'done']));
  });

  kernelTest.each([
    ['forked', () => {}],
    ['handed to a process that waits', (server: ForkServer, kind: LaunchKind) => server.prepare(kind, 1)],
  ])('a launch that is %s', async (_, prepare) => {
    const status = join(kit.directory, 'status');
    const launch = async () => {
      // Of each its own: one that waits, and is not used, is no leak.
      const forkServer = ForkServer.start(kit.directory, kit.directory, kit.reaper);
      try {
        const plan = kit.plan(['true']);
        const kind = kindOf(compileLaunch(plan, undefined, 'received'), plan);
        // The second time that it is taken, it counts as one that repeats.
        for (let count = 0; count < 2; count++) forkServer.take(kind, status)?.end();
        prepare(forkServer, kind);
        const container = kit.container();
        const process = await forkContainer(container, plan, { ...kit.context(), forkServer });
        kit.track(process, container);
        await process.release();
        await process.exited;
      } finally {
        forkServer.end();
        rmSync(status, { force: true });
      }
    };
    expectGivesUpCleanly(await sweep(launch));
  });

  kernelTest('a signal for the command of an init says so, and keeps nothing', async () => {
    const { process: launched } = await kit.start('sleep 1000', { init: true });
    const known = openNow().length;
    const fillers = leave(1);
    // Enough for the process, not to see whose child it is.
    expect(() => launched.signal(0)).toThrow(expect.objectContaining({ code: 'EMFILE' }));
    restore();
    for (const fd of fillers) closeSync(fd);
    expect(openNow()).toHaveLength(known);
    expect(launched.signal(0)).toBe(true);
  });

  describe('when a pair that waits for its launch is met', () => {
    let heard = () => {};
    let forkServer: ForkServer;
    const plan = () => kit.plan('exit 7');
    const kind = () => kindOf(compileLaunch(plan(), undefined, 'received'), plan());

    /** Tells when the fork server has looked at what it was told. */
    const telling = () =>
      ({
        watch(fd: number, callback: () => void) {
          kit.reaper.watch(fd, () => {
            callback();
            heard();
          });
        },
        unwatch: (fd: number) => kit.reaper.unwatch(fd),
      }) as Reaper;

    /** Its socket, thrice, and the way back to the mounts of the host. */
    const FORK_SERVERS_OWN = 4;

    /** Its supervisor has let go of all but its status file, the fork server of everything: both are told, and nobody has looked. */
    function prepared(): void {
      const before = new Set(childrenNow());
      forkServer.prepare(kind(), 1);
      const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
      for (;;) {
        const supervisor = childrenNow().find((pid) => !before.has(pid));
        if (supervisor && descriptors(supervisor) === 1 && descriptors(forkServer.pid) === FORK_SERVERS_OWN)
          return;
      }
    }
    const childrenNow = () =>
      readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim().split(' ').map(Number);

    async function launch(): Promise<number | undefined> {
      const container = kit.container();
      const forked = await forkContainer(container, plan(), { ...kit.context(), forkServer });
      const launched = kit.track(forked, container);
      await launched.release();
      return (await launched.end()).exitCode;
    }

    const pairTest = (name: string, body: () => Promise<void>) =>
      kernelTest(name, async () => {
        forkServer = ForkServer.start(kit.directory, kit.directory, telling());
        try {
          for (let count = 0; count < 2; count++) await launch(); // it repeats: one is kept ready
          await body();
        } finally {
          restore();
          await kit.endAll();
          forkServer.end();
        }
      });

    for (const count of [0, 1, 2])
      pairTest(`with ${count} left: the next launch works, and does not wait`, async () => {
        prepared();
        const looked = new Promise<void>((resolve) => {
          heard = resolve;
        });
        const fillers = leave(count);
        await looked;
        restore();
        for (const fd of fillers) closeSync(fd);
        const known = openNow().length;
        const began = performance.now();
        expect(await launch()).toBe(7);
        expect(performance.now() - began).toBeLessThan(500 * SLOWNESS);
        await kit.endAll();
        // What waited is taken, or was ended: gate, report, socket, status file, and its pidfds if it was met.
        expect(openNow().length).toBeLessThan(known);
        expect(await launch()).toBe(7);
      });

    pairTest('by the launch itself: it fails as a whole or works', async () => {
      const outcomes: string[] = [];
      for (let count = 0; count < 24; count++) {
        prepared();
        const fillers = leave(count);
        outcomes.push(await launch().then(String, (error: NodeJS.ErrnoException) => String(error.code)));
        await kit.endAll();
        restore();
        for (const fd of fillers) closeSync(fd);
        expect(await launch()).toBe(7);
      }
      const first = outcomes.indexOf('7');
      expect(first).toBeGreaterThan(1);
      expect(new Set(outcomes.slice(0, first))).toEqual(new Set(['EMFILE']));
      expect(new Set(outcomes.slice(first))).toEqual(new Set(['7']));
    });
  });
});

describe('no room for the status file (ENOSPC)', () => {
  let directory = '';
  const full = () => {
    const fd = openSync(join(directory, 'filler'), 'w');
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    } finally {
      closeSync(fd);
    }
  };
  const container = () => {
    directory = join(kit.directory, 'small');
    mkdirSync(directory);
    mount({ source: 'none', target: directory, type: 'tmpfs', data: 'size=16k' });
    return kit.container({ runtimeDirectory: directory });
  };
  afterEach(async () => {
    await kit.endAll();
    if (!directory) return;
    umount(directory);
    rmSync(directory, { recursive: true });
    directory = '';
  });

  kernelTest(
    'a running container has its place in it from the beginning: its status is on disk',
    async () => {
      const launched = await kit.fork(kit.plan('read line; exit 5'), undefined, container());
      full();
      await launched.release();
      expect(await launched.process.exited).toBe(5 << 8);
      expect(readFileSync(join(directory, 'status')).readInt32LE(0)).toBe(5 << 8);
    },
  );

  kernelTest('a launch says so before anything has been started', async () => {
    const target = container();
    full();
    await expect(kit.fork(kit.plan('true'), undefined, target)).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
