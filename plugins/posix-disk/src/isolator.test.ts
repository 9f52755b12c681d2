import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Container,
  type PersistentVolume,
  persistentVolumePath,
  type Resources,
  z,
} from '@caisson/plugin-sdk';
import {
  type ContainerOverrides,
  describeIsolatorContract,
  StartedIsolator,
  TestContainers,
} from '@caisson/plugin-sdk/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { findProgram, whyUnsupported } from './host.js';
import plugin from './index.js';
import { PosixDiskOptions } from './options.js';

describeIsolatorContract({
  plugin,
  options: { enforceQuota: true, watchInterval: '20ms' },
  container: () => ({ resources: { disk: 64 } }),
});

const MIB = 2 ** 20;

const containers = new TestContainers({ plugin }, async () => {
  throw new Error('these containers have no process');
});
beforeAll(() => containers.open());
afterEach(() => containers.endAll());
afterAll(() => containers.remove());

let count = 0;
const container = (
  isolator: StartedIsolator,
  resources: Resources,
  more: ContainerOverrides = {},
): Container => containers.container(isolator, { id: `c${++count}`, resources, ...more });

const write = (directory: string, name: string, bytes: number) =>
  writeFileSync(join(directory, name), Buffer.alloc(bytes, 1));

const start = (options: object = {}, before?: StartedIsolator) =>
  new StartedIsolator(
    {
      plugin,
      options: { watchInterval: '20ms', ...options },
      environment: { workDir: containers.host.workDir },
    },
    before?.checkpoints,
  );
const usage = containers.usage.bind(containers);
const watch = containers.watch.bind(containers);

async function launch(isolator: StartedIsolator, of: Container) {
  await isolator.prepare(of);
  return watch(isolator, of);
}

describe('a container', () => {
  test('is measured, and adds nothing to the plan', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 4 });
    write(it.sandbox, 'file', 2 * MIB);
    const plan = await isolator.prepare(it);
    expect(plan.askedBy('mounts')).toEqual([]);
    await watch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({
      disk_limit_bytes: 4 * MIB,
      disk_used_bytes: 2 * MIB + 4096,
      disk_statistics: [{ limit_bytes: 4 * MIB, used_bytes: 2 * MIB + 4096 }],
      extensions: { 'posix/disk': { meter: 'du' } },
    });
  });

  test('is stopped when it has more than its quota, and not before', async () => {
    const isolator = start({ enforceQuota: true });
    const it = container(isolator, { disk: 1 });
    write(it.sandbox, 'file', MIB - 4096);
    const { limitations, limitation } = await launch(isolator, it);
    await usage(isolator, it);
    expect(limitations).toEqual([]);
    write(it.sandbox, 'more', 1024);
    expect(await limitation).toEqual({
      reason: 'REASON_CONTAINER_LIMITATION_DISK',
      message: 'Disk usage (1028KB) exceeds quota (1MB)',
      resources: { disk: 1 },
    });
  });

  test('without `disk` in its resources is not measured', async () => {
    const isolator = start();
    const it = container(isolator, {});
    await launch(isolator, it);
    expect(await usage(isolator, it)).toEqual({ timestamp: 0 });
    expect(isolator.checkpoints.ids()).toEqual([]);
  });

  test('with a hard limit has that', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 1 }, { limits: { disk: 2.5 } });
    await launch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({ disk_limit_bytes: 2.5 * MIB });
  });

  test('that has ended before its first measurement has cost nothing', async () => {
    const isolator = start({ watchInterval: '1mins' });
    const it = container(isolator, { disk: 1 });
    await launch(isolator, it);
    expect(isolator.checkpoints.ids()).toEqual([]);
  });

  test('whose sandbox is gone says so', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 1 });
    rmSync(it.sandbox, { recursive: true });
    await launch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({
      disk_used_bytes: 0,
      extensions: { 'posix/disk': { error: expect.stringContaining('ENOENT') } },
    });
  });
});

describe('update', () => {
  test('changes the quota, and looks at once', async () => {
    const isolator = start({ enforceQuota: true, watchInterval: '1hrs' });
    const it = container(isolator, { disk: 4 });
    write(it.sandbox, 'file', 2 * MIB);
    const { limitations, limitation } = await launch(isolator, it);
    await usage(isolator, it);
    await isolator.call('update', it, { disk: 3 }, {});
    expect(await usage(isolator, it)).toMatchObject({ disk_limit_bytes: 3 * MIB });
    expect(limitations).toEqual([]);
    await isolator.call('update', it, { disk: 1 }, {});
    expect((await limitation).message).toBe(`Disk usage (${2 * 1024 + 4}KB) exceeds quota (1MB)`);
  });

  test('takes the quota away, and gives one', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 1 });
    await launch(isolator, it);
    await isolator.call('update', it, {}, {});
    expect(await usage(isolator, it)).toEqual({ timestamp: 0 });
    await isolator.call('update', it, { disk: 2 }, {});
    expect(await usage(isolator, it)).toMatchObject({ disk_limit_bytes: 2 * MIB, disk_used_bytes: 4096 });
  });

  test('of a container that it never saw is none', async () => {
    const isolator = start();
    await isolator.call('update', container(isolator, {}), { disk: 1 }, {});
  });
});

describe('a persistent volume', () => {
  const volume = (id: string, disk: number): PersistentVolume => ({
    disk,
    persistence: { id },
    volume: { containerPath: 'path1', mode: 'RW' },
  });
  function onHost(of: PersistentVolume): string {
    const path = persistentVolumePath(containers.host.workDir, of);
    mkdirSync(path, { recursive: true });
    return path;
  }

  test('is measured for itself, and is no part of the sandbox that has a link to it', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 3, volumes: [volume('db', 4)] });
    const path = onHost(volume('db', 4));
    symlinkSync(path, join(it.sandbox, 'path1'));
    for (const directory of [path, it.sandbox]) write(directory, 'file', 2 * MIB);
    await launch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({
      disk_limit_bytes: 3 * MIB,
      disk_used_bytes: 2 * MIB + 4096,
      disk_statistics: [
        { limit_bytes: 4 * MIB, used_bytes: 2 * MIB + 4096, persistence: { id: 'db' } },
        { limit_bytes: 3 * MIB, used_bytes: 2 * MIB + 4096 },
      ],
    });
  });

  test('that grows past its quota ends its container; one that is added later too', async () => {
    const isolator = start({ enforceQuota: true });
    const it = container(isolator, { volumes: [volume('grows', 4)] });
    const path = onHost(volume('grows', 4));
    const { limitations, limitation } = await launch(isolator, it);
    write(path, 'file', MIB);
    expect(await usage(isolator, it)).toEqual({
      timestamp: 0,
      disk_statistics: [expect.objectContaining({ persistence: { id: 'grows' } })],
      extensions: { 'posix/disk': { volumes: [expect.objectContaining({ id: 'grows', meter: 'du' })] } },
    });
    const later = { ...volume('later', 1), volume: { containerPath: 'path2', mode: 'RW' as const } };
    write(onHost(later), 'file', 2 * MIB);
    expect(limitations).toEqual([]);
    await isolator.call('update', it, { volumes: [volume('grows', 4), later] }, {});
    expect(await limitation).toEqual({
      reason: 'REASON_CONTAINER_LIMITATION_DISK',
      message: `Disk usage (${2 * 1024 + 4}KB) exceeds quota (1MB)`,
      resources: { volumes: [later] },
    });
    await isolator.call('update', it, { volumes: [later] }, {});
    expect((await usage(isolator, it)).disk_statistics).toHaveLength(1);
  });

  test('in whose place there is a link is not measured, and says so', async () => {
    const isolator = start();
    const it = container(isolator, { volumes: [volume('link', 4)] });
    rmSync(onHost(volume('link', 4)), { recursive: true });
    symlinkSync('/usr', persistentVolumePath(containers.host.workDir, volume('link', 4)));
    await launch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({
      disk_statistics: [{ limit_bytes: 4 * MIB, persistence: { id: 'link' } }],
      extensions: { 'posix/disk': { volumes: [{ error: expect.stringMatching(/ELOOP|ENOTDIR/) }] } },
    });
  });
});

describe('after a restart', () => {
  test('the quota is that of the last update, and enforced', async () => {
    const first = start({ enforceQuota: true });
    const it = container(first, { disk: 64 });
    await launch(first, it);
    await first.call('update', it, { disk: 1 }, {});
    const second = start({ enforceQuota: true }, first);
    // As the core has it in the container's record.
    const again = container(second, { disk: 1 }, { id: it.id });
    await second.call('recover', { containers: [again], orphans: [] });
    const { limitation } = await watch(second, again);
    write(it.sandbox, 'file', 2 * MIB);
    expect((await limitation).message).toMatch(/exceeds quota \(1MB\)$/);
  });

  test('a checkpoint that is lost is no loss', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 8 });
    isolator.checkpoints.set(it.id, 'nonsense');
    await isolator.call('recover', { containers: [it], orphans: [] });
    await watch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({ disk_limit_bytes: 8 * MIB });
  });

  test('a container that the filesystem counted is walked, where it does not any more', async () => {
    const isolator = start();
    const it = container(isolator, { disk: 8 });
    isolator.checkpoints.set(it.id, { account: { kind: 'btrfs', subvolume: 300 } });
    await isolator.call('recover', { containers: [it], orphans: [] });
    await watch(isolator, it);
    expect(await usage(isolator, it)).toMatchObject({ extensions: { 'posix/disk': { meter: 'du' } } });
  });
});

describe('a nested container', () => {
  test('has a quota of its own, and counts in its parent', async () => {
    const isolator = start({ enforceQuota: true });
    const parent = container(isolator, { disk: 64 });
    const nested = container(isolator, { disk: 1 }, { id: `${parent.id}.job` });
    const outer = await launch(isolator, parent);
    const inner = await launch(isolator, nested);
    write(nested.sandbox, 'file', 2 * MIB);
    expect((await inner.limitation).message).toMatch(/exceeds quota \(1MB\)$/);
    expect((await usage(isolator, parent)).disk_used_bytes).toBeGreaterThan(2 * MIB);
    expect(outer.limitations).toEqual([]);
  });

  (process.platform === 'linux' ? test : test.skip)(
    'a link in the place of its sandbox is not followed (F7)',
    async () => {
      const isolator = start();
      const parent = container(isolator, { disk: 64 });
      const nested = container(isolator, { disk: 1 }, { id: `${parent.id}.job` });
      await launch(isolator, nested);
      expect(await usage(isolator, nested)).toMatchObject({ disk_used_bytes: 4096 });
      const inside = join(parent.sandbox, 'containers');
      const elsewhere = join(containers.host.directory, 'elsewhere');
      mkdirSync(join(elsewhere, 'job'), { recursive: true });
      write(join(elsewhere, 'job'), 'secret', MIB);
      renameSync(inside, `${inside}-away`);
      symlinkSync(elsewhere, inside);
      // The attack works on whoever goes by the path.
      const byPath = spawnSync('du', ['-skx', '--', nested.sandbox], { encoding: 'utf8' });
      expect(Number.parseInt(byPath.stdout, 10)).toBeGreaterThan(1024);
      for (;;) {
        const statistics = await usage(isolator, nested);
        expect(statistics.disk_used_bytes).toBe(4096);
        const { error } = { ...(statistics.extensions?.['posix/disk'] as { error?: string }) };
        if (error) {
          expect(error).toMatch(/ELOOP|ENOTDIR/);
          break;
        }
        await sleep(10);
      }
    },
  );
});

test('a sparse file counts by what is allocated, a file that grows is seen', async () => {
  const isolator = start();
  const it = container(isolator, { disk: 64 });
  writeFileSync(join(it.sandbox, 'sparse'), '');
  truncateSync(join(it.sandbox, 'sparse'), 100 * MIB);
  await launch(isolator, it);
  expect(await usage(isolator, it)).toMatchObject({ disk_used_bytes: 4096 });
  write(it.sandbox, 'file', MIB);
  while ((await usage(isolator, it)).disk_used_bytes !== MIB + 4096) await sleep(10);
});

describe('the options', () => {
  test('have the defaults of Mesos', () => {
    expect(PosixDiskOptions.parse({})).toEqual({
      enforceQuota: false,
      watchInterval: 15_000,
      meter: 'du',
      parallelMeasurements: 4,
      measurementTimeout: 300_000,
      gracePeriod: 0,
      warnAt: 0.9,
      maxFiles: 0,
      projectIds: { first: 5000, last: 10_000 },
    });
  });

  test('are read as operators write them', () => {
    const options = { watchInterval: '1mins', projectIds: '[7000-7999]' };
    expect(PosixDiskOptions.parse(options)).toMatchObject({
      watchInterval: 60_000,
      projectIds: { first: 7000, last: 7999 },
    });
  });

  test.each([
    [{ watchInterval: '0ns' }, /at least 10ms/],
    [{ watchInterval: 15 }, /string/],
    [{ watchInterval: 'often' }, /such as 15secs/],
    [{ meter: 'xfs' }, /du/],
    [{ parallelMeasurements: 1 }, />=2/],
    [{ projectIds: '0-5' }, /range such as/],
    [{ projectIds: '9-5' }, /range such as/],
    [{ warnAt: 90 }, /<=1/],
    [{ enforceQuotas: true }, /enforceQuotas/],
  ])('%j is refused', (options, message) => {
    expect(PosixDiskOptions.safeParse(options).error?.message).toMatch(message);
  });

  test('are explained, and answer to the flags of Mesos', () => {
    const { properties } = z.toJSONSchema(PosixDiskOptions, { io: 'input', unrepresentable: 'any' });
    expect(properties).toMatchObject({
      enforceQuota: { flag: 'enforce_container_disk_quota', default: false },
      watchInterval: { flag: 'container_disk_watch_interval', default: '15secs' },
      meter: { enum: ['du', 'auto', 'quota'], default: 'du' },
      projectIds: { flag: 'xfs_project_range', default: '5000-10000' },
    });
  });

  test('meter: quota does not start where the filesystem has none; auto says what it does instead', () => {
    const environment = { workDir: '/proc' };
    expect(() => new StartedIsolator({ plugin, options: { meter: 'quota' }, environment })).toThrow(
      expect.objectContaining({ code: 'QUOTA_UNAVAILABLE', hint: expect.stringContaining('auto') }),
    );
    const { log } = new StartedIsolator({ plugin, options: { meter: 'auto' }, environment });
    expect(log.lines).toMatchObject([{ level: 'info', fields: { reason: expect.any(String) } }]);
  });
});

test('needs du, anywhere, and sees nested containers', () => {
  expect(whyUnsupported()).toBeUndefined();
  expect(findProgram('no-such-program')).toBeUndefined();
  expect(plugin.isolators?.[0]).toMatchObject({
    name: 'posix/disk',
    aliases: ['disk/du'],
    supportsNesting: true,
  });
});
