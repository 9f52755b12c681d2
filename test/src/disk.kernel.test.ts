/** posix/disk through the core and the agent: containers that write too much, on the host's filesystem and on btrfs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOOP_KINDS, LoopFilesystem, loopProblem, needs, SLOWNESS, withCensus } from '@caisson/linux/testing';
import { type PersistentVolume, persistentVolumePath } from '@caisson/plugin-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { RealAgent } from './agent/real-agent.js';
import { Folder } from './caisson.js';
import { Containers, newDirectory } from './containers.js';

const MIB = 2 ** 20;
const kernelTest = needs(test, { root: true, programs: ['du', 'dd'] });
const canRun = kernelTest === test;

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

let containers: Containers | undefined;
const open: Containers[] = [];
async function opened(more: Partial<Parameters<typeof Containers.open>[0]> = {}): Promise<Containers> {
  const made = await Containers.open({
    isolation: ['filesystem/linux', 'namespaces/pid', 'posix/disk'],
    ...more,
  });
  open.push(made);
  return made;
}
const forget = (each: Containers) => void open.splice(open.indexOf(each), 1);
async function closed(each: Containers): Promise<void> {
  await each.close();
  forget(each);
}
/** The agent ends, its containers go on. */
async function left(each: Containers): Promise<void> {
  await each.leave();
  forget(each);
}
beforeAll(async () => {
  if (!canRun) return;
  containers = await opened({
    // As operators of Mesos say it.
    isolation: ['filesystem/linux', 'namespaces/pid', 'disk/du'],
    flags: { enforce_container_disk_quota: true, container_disk_watch_interval: '500ms' },
  });
  await containers.run('true', { resources: { disk: 64 } });
});
afterAll(async () => {
  for (const each of open) await each.close();
});
afterEach(async () => {
  await containers?.endAll();
});
// After ours: the census is taken once everything has ended.
withCensus({ reapOrphans: true });

const write = (megabytes: number, name = 'file') =>
  `dd if=/dev/zero of=${name} bs=1M count=${megabytes} 2>/dev/null`;

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(10);
}

/** As a person would. */
const byHand = (directory: string): number => Number.parseInt(run('du', '-skx', directory), 10) * 1024;

describe('du', () => {
  const it = () => containers as Containers;

  kernelTest('a container that writes past its quota is killed within two intervals', async () => {
    const { id, sandbox } = await it().start(
      `${write(1)}; until [ -e go ]; do sleep 0.01; done; ${write(2)}; touch written; exec sleep 60`,
      {
        resources: { disk: 1.5 },
      },
    );
    await until(async () => Boolean((await it().core.usage(id)).disk_used_bytes));
    writeFileSync(join(sandbox, 'go'), '');
    while (!existsSync(join(sandbox, 'written'))) await sleep(5);
    const start = performance.now();
    expect(await it().core.wait(id)).toMatchObject({
      status: 9,
      signal: 'SIGKILL',
      reason: 'REASON_CONTAINER_LIMITATION_DISK',
      message: `Disk usage (${2 * 1024 + 4}KB) exceeds quota (1536KB)`,
      limitation: { resources: { disk: 1.5 } },
    });
    expect(performance.now() - start).toBeLessThan(2 * 500 * SLOWNESS);
  });

  kernelTest('one below its quota lives, and its usage is what du says', async () => {
    const { id, sandbox } = await it().start(`${write(3)}; touch written; exec sleep 60`, {
      resources: { disk: 4 },
    });
    while (!existsSync(join(sandbox, 'written'))) await sleep(5);
    const expected = byHand(sandbox);
    expect(expected).toBeGreaterThan(3 * MIB);
    await until(async () => (await it().core.usage(id)).disk_used_bytes === expected);
    expect(it().core.inspect(id).state).toBe('RUNNING');
    expect(await it().core.usage(id)).toMatchObject({
      disk_limit_bytes: 4 * MIB,
      disk_used_bytes: expected,
      extensions: { 'posix/disk': { meter: 'du' } },
    });
  });

  kernelTest('an update changes the quota of a container that runs', async () => {
    const { id } = await it().start(`${write(2)}; exec sleep 60`, { resources: { disk: 64 } });
    await until(async () => ((await it().core.usage(id)).disk_used_bytes ?? 0) > 2 * MIB);
    await it().core.update(id, { disk: 1 });
    expect((await it().core.wait(id)).message).toMatch(/^Disk usage \(20\d\dKB\) exceeds quota \(1MB\)$/);
  });

  kernelTest('a nested container is stopped for its own quota, and its parent lives', async () => {
    const settings = { options: { 'posix/disk': { enforceQuota: true, watchInterval: '100ms' } } };
    const nesting = await opened({ isolation: ['filesystem/linux', 'posix/disk'], ...settings });
    await nesting.start('exec sleep 60', { resources: { disk: 64 } }, 'web');
    await nesting.start(`${write(2)}; exec sleep 60`, { resources: { disk: 1 } }, 'web.job');
    expect((await nesting.core.wait('web.job')).reason).toBe('REASON_CONTAINER_LIMITATION_DISK');
    expect(nesting.core.inspect('web').state).toBe('RUNNING');
    await until(async () => ((await nesting.core.usage('web')).disk_used_bytes ?? 0) > 2 * MIB);
    await closed(nesting);
  });

  kernelTest('quotas survive a restart', async () => {
    const settings = {
      directory: newDirectory(),
      options: { 'posix/disk': { enforceQuota: true, watchInterval: '100ms' } },
    };
    const first = await opened(settings);
    const { id, sandbox } = await first.start(
      `until [ -e go ]; do sleep 0.01; done; ${write(4)}; exec sleep 60`,
      {
        resources: { disk: 64 },
      },
    );
    await first.core.update(id, { disk: 2 });
    await left(first);
    const second = await opened(settings);
    writeFileSync(join(sandbox, 'go'), '');
    expect((await second.core.wait(id)).message).toMatch(/exceeds quota \(2MB\)$/);
    await closed(second);
  });
});

describe.each(['filesystem/linux', 'filesystem/posix'])('a persistent volume of %s', (filesystem) => {
  const volume = (id: string, disk: number, containerPath: string): PersistentVolume => ({
    disk,
    persistence: { id },
    volume: { containerPath, mode: 'RW' },
  });
  const settings = {
    isolation: [filesystem, 'posix/disk'],
    options: { 'posix/disk': { enforceQuota: true, watchInterval: '100ms' } },
  };

  kernelTest(
    'is measured beside the sandbox, and ends the container if it grows past its own quota',
    async () => {
      const it = await opened(settings);
      const [first, second] = [volume('db', 4, 'path1'), volume('more', 1, 'path2')];
      const workDir = join(it.directory, 'work');
      for (const each of [first, second]) mkdirSync(persistentVolumePath(workDir, each), { recursive: true });
      const { id, sandbox } = await it.start(
        `${write(2)}; ${write(2, 'path1/file')}; touch written; until [ -e go ]; do sleep 0.01; done; ${write(2, 'path2/file')}; exec sleep 60`,
        { resources: { disk: 3, volumes: [first] } },
      );
      while (!existsSync(join(sandbox, 'written'))) await sleep(5);
      const onHost = byHand(persistentVolumePath(workDir, first));
      const own = byHand(sandbox);
      for (const bytes of [onHost, own]) expect([bytes > 2 * MIB, bytes < 3 * MIB]).toEqual([true, true]);
      await until(async () => (await it.core.usage(id)).disk_used_bytes === own);
      expect(await it.core.usage(id)).toMatchObject({
        disk_limit_bytes: 3 * MIB,
        disk_statistics: [
          { limit_bytes: 4 * MIB, used_bytes: onHost, persistence: { id: 'db' } },
          { limit_bytes: 3 * MIB, used_bytes: own },
        ],
      });

      await it.core.update(id, { disk: 3, volumes: [first, second] });
      writeFileSync(join(sandbox, 'go'), '');
      expect(await it.core.wait(id)).toMatchObject({
        reason: 'REASON_CONTAINER_LIMITATION_DISK',
        message: expect.stringMatching(/^Disk usage \(\d+KB\) exceeds quota \(1MB\)$/),
        limitation: { resources: { volumes: [second] } },
      });
      await closed(it);
    },
  );
});

describe('a sandbox on another filesystem', () => {
  kernelTest('is measured there, and not what is mounted in it', async () => {
    const directory = newDirectory();
    const workDir = join(directory, 'work');
    const mounted: string[] = [];
    const mountTmpfs = (at: string) => {
      run('mount', '-t', 'tmpfs', '-o', 'mode=711', 'caisson-test', at);
      mounted.push(at);
    };
    try {
      mountTmpfs(workDir);
      const settings = { directory, options: { 'posix/disk': { watchInterval: '50ms' } } };
      const there = await opened({ ...settings, isolation: ['filesystem/posix', 'posix/disk'] });
      const { id, sandbox } = await there.start(`${write(3)}; mkdir mounted; touch written; exec sleep 60`, {
        resources: { disk: 4 },
      });
      while (!existsSync(join(sandbox, 'written'))) await sleep(5);
      mountTmpfs(join(sandbox, 'mounted'));
      writeFileSync(join(sandbox, 'mounted/file'), Buffer.alloc(8 * MIB, 1));
      const expected = byHand(sandbox);
      expect(expected).toBeLessThan(4 * MIB);
      await until(async () => (await there.core.usage(id)).disk_used_bytes === expected);
      // What somebody has mounted in a sandbox is not the container's to remove.
      await there.core.destroy(id);
      await expect(there.core.remove(id)).rejects.toThrow(/different device/);
      expect(existsSync(join(sandbox, 'mounted/file'))).toBe(true);
      run('umount', mounted.pop()!);
      await there.core.remove(id);
      await there.core.close();
      forget(there);
    } finally {
      for (const at of mounted.reverse()) run('umount', at);
      rmSync(directory, { recursive: true });
    }
  });
});

// Project quotas of XFS say that the disk is full: for a project that is what they mean.
const REFUSAL = /Disk quota exceeded|No space left on device/;

describe.each(LOOP_KINDS)('a filesystem that counts: %s', (kind) => {
  const countingTest = needs(test, { root: true, host: () => loopProblem(kind) });
  const meterName = kind === 'btrfs' ? 'btrfs' : 'project';
  let filesystem: LoopFilesystem | undefined;
  let workDir = '';
  beforeAll(() => {
    if (countingTest !== test) return;
    filesystem = new LoopFilesystem(kind);
    workDir = filesystem.path;
  });
  afterAll(() => filesystem?.remove());

  const subvolumes = (): string[] =>
    kind === 'btrfs' ? run('btrfs', 'subvolume', 'list', workDir).split('\n').filter(Boolean) : [];

  const settings = (meter: string) => ({
    workDir,
    options: { 'posix/disk': { enforceQuota: true, watchInterval: '100ms', meter } },
  });

  for (const meter of ['quota', 'auto'])
    countingTest(
      `meter ${meter}: the write fails with EDQUOT, the container lives, and nothing is left`,
      async () => {
        const counted = await opened(settings(meter));
        // A container that has used up all of its quota cannot write a line either: its stdout is in its sandbox.
        const script =
          'said=$(dd if=/dev/zero of=file bs=1M count=8 2>&1); dd=$?; rm file; sync; echo "dd: $dd"; echo "$said"';
        const ended = await counted.run(script, { resources: { disk: 2 } });
        expect(ended).toMatchObject({ exitCode: 0, reason: 'EXITED', stderr: '' });
        expect(ended.stdout).toMatch(REFUSAL);
        await closed(counted);
        expect(subvolumes()).toEqual([]);
      },
    );

  countingTest('meter quota: usage and update, also after a restart', async () => {
    const directory = newDirectory();
    const first = await opened({ ...settings('quota'), directory });
    const { id, sandbox } = await first.start(
      `${write(4)}; touch full; until [ -e go ]; do sleep 0.01; done; ${write(6, 'more')} || { rm more; sync; touch refused; }; touch written; exec sleep 60`,
      { resources: { disk: 64 } },
    );
    while (!existsSync(join(sandbox, 'full'))) await sleep(5);
    await until(async () => ((await first.core.usage(id)).disk_used_bytes ?? 0) >= 4 * MIB);
    expect(await first.core.usage(id)).toMatchObject({
      disk_limit_bytes: 64 * MIB,
      extensions: { 'posix/disk': { meter: meterName } },
    });
    await first.core.update(id, { disk: 6 });
    await left(first);
    const second = await opened({ ...settings('quota'), directory });
    expect(await second.core.usage(id)).toMatchObject({
      disk_limit_bytes: 6 * MIB,
      extensions: { 'posix/disk': { meter: meterName } },
    });
    writeFileSync(join(sandbox, 'go'), '');
    while (!existsSync(join(sandbox, 'written'))) await sleep(5);
    expect(existsSync(join(sandbox, 'refused'))).toBe(true);
    expect(second.core.inspect(id).state).toBe('RUNNING');
    await closed(second);
  });

  countingTest(
    'meter quota: what another isolator makes in a sandbox is counted, whichever is named first',
    async () => {
      const counted = await opened({ ...settings('quota'), isolation: ['filesystem/shared', 'posix/disk'] });
      const privateTmp = {
        containerPath: '/var/tmp',
        mode: 'RW',
        source: { type: 'SANDBOX_PATH', of: 'SELF', path: 'tmp' },
      } as const;
      const ended = await counted.run(
        'cd /var/tmp && said=$(dd if=/dev/zero of=file bs=1M count=8 2>&1); rm file; sync; echo "$said"',
        { resources: { disk: 2 }, volumes: [privateTmp] },
      );
      expect(ended).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(REFUSAL) });
      await closed(counted);
    },
  );

  // Others have none.
  if (kind === 'btrfs')
    countingTest('meter quota: who makes subvolumes to get around it is stopped', async () => {
      const counted = await opened({ ...settings('quota'), isolation: ['filesystem/posix', 'posix/disk'] });
      const script = `btrfs subvolume create own && cd own && ${write(8)}; exec sleep 60`;
      const { id } = await counted.start(script, { resources: { disk: 2 } });
      expect(await counted.core.wait(id)).toMatchObject({ reason: 'REASON_CONTAINER_LIMITATION_DISK' });
      // Removed with its sandbox, though each is a device of its own.
      await counted.core.remove(id);
      expect(subvolumes()).toEqual([]);
      await closed(counted);
    });
});

describe('from outside', () => {
  const folder = new Folder({
    isolation: ['filesystem/linux', 'namespaces/pid', 'posix/disk'],
    options: { 'posix/disk': { parallelMeasurements: 2 } },
  });
  const agent = new RealAgent(folder);
  // As operators of Mesos say it.
  const flags = ['--enforce_container_disk_quota', '--container_disk_watch_interval=200ms'];
  const disk = (value: number) => [{ name: 'disk', type: 'SCALAR', scalar: { value } }];
  const web = { container_id: { value: 'web' } };
  beforeAll(async () => {
    // What is made on the first start stays.
    if (canRun) await agent.start(...flags).then(() => agent.stop());
  });
  afterEach(async () => {
    agent.api.close();
    if (canRun && agent.isRunning) await agent.stop('SIGKILL');
  });
  afterAll(() => folder.remove());
  const get = async (path: string) => JSON.parse((await agent.api.send('GET', path)).text);

  kernelTest(
    'statistics with the names of Mesos, an update, the end with its reason; also after a SIGKILL',
    async () => {
      await agent.start(...flags);
      const command = { value: `${write(2)}; exec sleep 60` };
      const launched = await agent.api.call('LAUNCH_CONTAINER', { ...web, command, resources: disk(64) });
      expect(launched).toEqual({ status: 200, body: {} });
      const figures = {
        disk_limit_bytes: 64 * MIB,
        disk_used_bytes: expect.any(Number),
        disk_statistics: [{ limit_bytes: 64 * MIB, used_bytes: expect.any(Number) }],
      };
      await until(async () => (await get('/monitor/statistics'))[0].statistics.disk_used_bytes > 2 * MIB);
      expect(await get('/monitor/statistics')).toMatchObject([{ statistics: figures }]);
      expect(await get('/containers')).toMatchObject([{ container_id: 'web', statistics: figures }]);
      expect((await folder.caisson(['stats', '--once'])).stdout).toMatch(
        /DISK +QUOTA.*\nweb .* 2(\.\d+)?MB +64MB/,
      );
      expect(JSON.parse((await folder.caisson(['stats', '--json'])).stdout)).toMatchObject([figures]);

      await agent.stop('SIGKILL');
      await agent.start(...flags);
      expect(await get('/containers')).toMatchObject([{ statistics: { disk_limit_bytes: 64 * MIB } }]);
      expect((await agent.api.call('UPDATE_CONTAINER', { ...web, resources: disk(1) })).status).toBe(200);
      expect((await agent.api.call('WAIT_CONTAINER', web)).body).toMatchObject({
        exit_status: 9,
        state: 'TASK_FAILED',
        reason: 'REASON_CONTAINER_LIMITATION_DISK',
        message: expect.stringMatching(/^Disk usage \(20\d\dKB\) exceeds quota \(1MB\)$/),
        limitation: { resources: [{ name: 'disk', type: 'SCALAR', scalar: { value: 1 } }] },
      });
      expect((await agent.api.call('REMOVE_CONTAINER', web)).status).toBe(200);
      expect(await agent.stop()).toMatchObject({ status: 0 });
    },
  );
});
