/**
 * An agent on a host that has run out of something: it says what, goes on with what it has, and does everything again once
 * the cause is gone, without a restart (threat model, section 3).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cgroups } from '@caisson/linux/cgroups';
import { prlimit, RLIMITS } from '@caisson/linux/syscalls';
import { needs, SLOWNESS, withCensus } from '@caisson/linux/testing';
import { afterAll, afterEach, beforeEach, describe, expect } from '@jest/globals';
import { type Reply, wire } from './agent/api.js';
import { useAgent } from './agent/use-agent.js';

const { test, folder, agent, api } = useAgent();
const [workDir = '', runtimeDir = ''] = folder.directories;

const call = (type: string, id: string, more: object = {}): Promise<Reply> =>
  api.call(type, { container_id: wire(id), ...more });
const launch = (id: string, script = 'exec sleep 1000'): Promise<Reply> =>
  call('LAUNCH_CONTAINER', id, { config: { argv: ['sh', '-c', script] } });
const pidOf = async (id: string) => (await call('GET_CONTAINER', id)).body.pid;

/** What holds of an agent with a container `web`, whatever it lacks. */
async function expectServes(pid: number | undefined): Promise<void> {
  expect(await pidOf('web')).toBe(pid);
  expect((await api.send('GET', '/health')).status).toBe(200);
}

/** Everything works, again or still. */
async function expectWorks(): Promise<void> {
  expect(await launch('again', 'exit 4')).toMatchObject({ status: 200 });
  expect((await call('WAIT_CONTAINER', 'again')).body).toMatchObject({ exit_code: 4 });
  for (const id of ['again', 'web']) {
    await call('STOP_CONTAINER', id, { signal: 9 });
    expect(await call('REMOVE_CONTAINER', id)).toMatchObject({ status: 200 });
  }
}

const filler = (directory: string) => join(directory, 'filler');

function fill(directory: string): void {
  for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2))
    try {
      writeFileSync(filler(directory), Buffer.alloc(size), { flag: 'a' });
    } catch {
      // smaller, until not a byte is left
    }
}

describe('a filesystem of its own for', () => {
  const names = { runtimeDir, workDir };
  afterEach(() => {
    for (const directory of Object.values(names)) unmount(directory);
  });
  const isMounted = (directory: string): boolean => {
    try {
      execFileSync('mountpoint', ['-q', directory]);
      return true;
    } catch {
      return false;
    }
  };
  const unmount = (directory: string) => {
    while (isMounted(directory)) execFileSync('umount', ['--lazy', directory]);
  };

  describe('', () => {
    afterEach(() => agent.tidy());
    withCensus({
      reapOrphans: true,
      ignore: ({ kind, text }) => kind === 'mount' && text.includes(folder.path),
    });

    const mountSmall = (directory: string) =>
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=711', 'caisson-test', directory]);

    test('runtimeDir is full: nothing is lost, what runs can be ended, a restart says why not', async () => {
      mountSmall(runtimeDir);
      await agent.start();
      for (const id of ['web', 'ends']) await launch(id);
      const pid = await pidOf('web');
      fill(runtimeDir);
      expect(await launch('more')).toMatchObject({
        status: 500,
        body: { code: 'STATE_WRITE_FAILED', message: expect.stringMatching(/no space/i) },
      });
      await expectServes(pid);
      expect(await call('KILL_CONTAINER', 'ends')).toMatchObject({ status: 200 });
      expect((await call('WAIT_CONTAINER', 'ends')).body).toMatchObject({ exit_status: 9 });
      await agent.stop('SIGKILL');
      expect(await folder.caisson(['agent'])).toMatchObject({
        status: 125,
        stderr: expect.stringMatching(/no space/i),
      });
      rmSync(filler(runtimeDir));
      await agent.start();
      await expectServes(pid);
      // Its record could not be written any more: its supervisor had room for the status from the beginning.
      expect((await call('WAIT_CONTAINER', 'ends')).body).toMatchObject({ exit_status: 9 });
      await call('REMOVE_CONTAINER', 'ends');
      await expectWorks();
    });

    test('workDir is full', async () => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=24,mode=711', 'caisson-test', workDir]);
      await agent.start();
      await launch('web');
      const pid = await pidOf('web');
      mkdirSync(filler(workDir));
      for (let n = 0; n < 30; n += 1)
        try {
          writeFileSync(join(filler(workDir), String(n)), '');
        } catch {
          break;
        }
      expect(await launch('more')).toMatchObject({
        status: 500,
        body: { code: 'STATE_WRITE_FAILED', message: expect.stringMatching(/no space/i) },
      });
      await expectServes(pid);
      rmSync(filler(workDir), { recursive: true });
      await expectWorks();
    });

    test.each(Object.entries(names))('%s is read-only', async (_, directory) => {
      mountSmall(directory);
      await agent.start();
      await launch('web');
      const pid = await pidOf('web');
      // Over it, since supervisors have files open for writing, as the kernel does it after an error of a disk.
      execFileSync('mount', ['--bind', directory, directory]);
      execFileSync('mount', ['-o', 'remount,ro,bind', directory]);
      try {
        expect(await launch('more')).toMatchObject({
          status: 500,
          body: { code: 'STATE_WRITE_FAILED', message: expect.stringMatching(/read-only/i) },
        });
        await expectServes(pid);
      } finally {
        execFileSync('umount', [directory]);
      }
      await expectWorks();
    });
  });
});

describe('too few', () => {
  afterEach(async () => {
    await agent.tidy();
  });
  withCensus({ directories: folder.directories, reapOrphans: true });

  needs(test, {
    root: true,
    host: () => (new Cgroups().find('pids') ? undefined : 'needs the controller pids'),
  })('processes (EAGAIN)', async () => {
    const cgroups = new Cgroups();
    const cgroup = cgroups.find('pids')!.cgroup(`caisson-test-${process.pid}`);
    cgroup.create();
    try {
      await agent.start();
      // Before a supervisor waits for the next launch, which would be outside.
      cgroup.add(agent.running.child.pid!);
      await launch('web');
      const pid = await pidOf('web');
      cgroup.write('pids.max', '1'); // what is there already stays
      expect(await launch('more')).toMatchObject({
        body: { hint: expect.stringMatching(/pids.max/) },
      });
      await expectServes(pid);
      cgroup.write('pids.max', 'max');
      await expectWorks();
      await agent.stop();
    } finally {
      await agent.tidy();
      cgroup.removeDirectory();
      cgroups.close();
    }
  });

  test('descriptors (EMFILE)', async () => {
    await agent.start();
    await launch('web');
    const pid = await pidOf('web');
    const process = agent.running.child.pid!;
    const limit = prlimit(process, RLIMITS.NOFILE);
    // The limit is on the number: of the lowest ones two are left.
    const open = new Set(readdirSync(`/proc/${process}/fd`).map(Number));
    const free = Array.from({ length: 4096 }, (_, fd) => fd).filter((fd) => !open.has(fd));
    prlimit(process, RLIMITS.NOFILE, { soft: BigInt(free[2]!), hard: limit.hard });
    expect(await launch('more')).toMatchObject({
      status: 500,
      body: { kind: 'exhausted', message: expect.stringMatching(/EMFILE|too many open/i) },
    });
    await expectServes(pid);
    prlimit(process, RLIMITS.NOFILE, limit);
    await expectWorks();
  });
});

const FAKETIME = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));

describe('a clock that is set back by a day', () => {
  const clock = join(mkdtempSync(join(tmpdir(), 'caisson-clock-')), 'clock');
  const set = (offset: string) => writeFileSync(clock, offset);
  beforeEach(() => set('+0'));
  afterEach(async () => {
    if (agent.isRunning) await agent.stop();
  });
  afterAll(() => rmSync(join(clock, '..'), { recursive: true }));
  withCensus({ directories: folder.directories, reapOrphans: true });

  const environment = {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    // As settimeofday(2): CLOCK_MONOTONIC goes on.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };

  async function start(...flags: string[]): Promise<void> {
    agent.running = folder.start(['agent', ...flags], { env: environment });
    await agent.running.says(/"msg":"serving"/);
  }

  needs(test, { root: true, host: () => (FAKETIME ? undefined : 'libfaketime is not installed') })(
    'no time-out fires early or late, and nobody is forgotten',
    async () => {
      await start('--gc-delay', '1hrs');
      await launch('ended', 'exit 3');
      await call('WAIT_CONTAINER', 'ended');
      await launch('web');
      const pid = await pidOf('web');
      await launch('deaf', 'trap "" TERM; exec sleep 1000');
      await launch('deaf-too', 'trap "" TERM; exec sleep 1000');
      for (const [id, offset] of [
        ['deaf', '-1d'],
        ['deaf-too', '+1d'],
      ] as const) {
        const began = performance.now();
        const stopping = call('STOP_CONTAINER', id, { grace_period: { nanoseconds: 1e9 } });
        await sleep(100);
        set(offset);
        expect((await stopping).body).toMatchObject({ exit_status: 9 });
        const elapsed = performance.now() - began;
        expect(elapsed).toBeGreaterThan(990);
        expect(elapsed).toBeLessThan(4_000 * SLOWNESS);
      }
      set('-1d');
      await expectServes(pid);
      await agent.stop('SIGKILL');
      await start('--gc-delay', '1hrs');
      await expectServes(pid);
      expect((await call('WAIT_CONTAINER', 'ended')).body).toMatchObject({ exit_code: 3 });
      for (const id of ['ended', 'deaf', 'deaf-too']) await call('REMOVE_CONTAINER', id);
      await expectWorks();
    },
  );
});

describe('the disk is nearly full of what has ended', () => {
  afterEach(() => agent.tidy());
  withCensus({ directories: folder.directories, reapOrphans: true });

  test('it is removed, with its sandbox, when it is due', async () => {
    await agent.start('--gc-delay', '200ms', '--disk-watch-interval', '50ms');
    await launch('web');
    await launch('ended', 'exit 3');
    expect((await call('WAIT_CONTAINER', 'ended')).body).toMatchObject({ exit_code: 3 });
    while ((await call('GET_CONTAINER', 'ended')).status === 200) await sleep(10);
    for (const directory of [workDir, runtimeDir])
      expect(readdirSync(join(directory, 'containers'))).toEqual(['web']);
    await agent.removeAll();
  });
});
