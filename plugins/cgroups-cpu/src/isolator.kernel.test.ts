import { setTimeout as sleep } from 'node:timers/promises';
import { type Cgroup, type Hierarchy, Cgroups as HostCgroups } from '@caisson/linux/cgroups';
import { GatedProcess, needs, withCensus } from '@caisson/linux/testing';
import { Cgroups, type Container, LaunchPlan } from '@caisson/plugin-sdk';
import { describeIsolatorContract, type StartedIsolator, TestContainers } from '@caisson/plugin-sdk/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import plugin from './index.js';

const ROOT = 'caisson-cpu-test';
const cgroups = new HostCgroups();
const services = [[Cgroups, cgroups]] as const;
const host = plugin.isolators?.[0]?.requires?.host;
const kernelTest = needs(test, { root: true, host: () => host?.() });
const version = process.getuid?.() === 0 ? cgroups.find('cpu')?.version : undefined;

const containers = new TestContainers({ plugin, services, options: { root: ROOT } }, GatedProcess.start);

beforeAll(() => {
  containers.open();
});
afterAll(() => {
  containers.remove();
  cgroups.close();
});
afterEach(async () => {
  await containers.endAll();
  cgroups.close();
});
withCensus({ reapOrphans: true });

/** Processors that it kept busy over a while. */
async function cpusUsed(isolator: StartedIsolator, container: Container, ms: number): Promise<number> {
  const spent = async () => {
    const { cpus_user_time_secs = 0, cpus_system_time_secs = 0 } = await containers.usage(
      isolator,
      container,
    );
    return cpus_user_time_secs + cpus_system_time_secs;
  };
  const [before, begin] = [await spent(), performance.now()];
  await sleep(ms);
  const [after, end] = [await spent(), performance.now()];
  return (after - before) / ((end - begin) / 1000);
}

const cgroupOf = (pid: number): Cgroup => (cgroups.find('cpu') as Hierarchy).cgroupOf(pid) as Cgroup;

/** What the kernel was told of the container of this path below the root. */
function figures(path: string): Record<string, unknown> {
  const cgroup = (cgroups.find('cpu') as Hierarchy).cgroup(`${ROOT}/${path}`);
  if (version === 2) {
    const [quota = '', period] = cgroup.read('cpu.max').split(' ');
    return {
      share: cgroup.readNumber('cpu.weight') / 100,
      quota: quota === 'max' ? -1 : Number(quota),
      period,
    };
  }
  const [quota, period] = [cgroup.readNumber('cpu.cfs_quota_us'), cgroup.read('cpu.cfs_period_us')];
  return { share: cgroup.readNumber('cpu.shares') / 1024, quota, period };
}

describeIsolatorContract({
  plugin,
  services,
  options: { root: ROOT },
  container: () => ({ resources: { cpus: 0.5 }, limits: { cpus: 1 } }),
});

describe('the cpus of a container', () => {
  kernelTest('are a share, and with a limit 50 ms of each 100 ms for 0.5 cpus', async () => {
    const isolator = containers.isolator();
    await containers.launch(isolator, 'sleep 1000', {
      id: 'web',
      resources: { cpus: 0.25 },
      limits: { cpus: 0.5 },
    });
    expect(figures('web')).toEqual({ share: 0.25, quota: 50_000, period: '100000' });
  });

  kernelTest('are a share alone without a limit, and as the kernel has it without a request', async () => {
    const isolator = containers.isolator();
    await containers.launch(isolator, 'sleep 1000', { id: 'web', resources: { cpus: 2 } });
    await containers.launch(isolator, 'sleep 1000', { id: 'other' });
    expect(figures('web')).toMatchObject({ share: 2, quota: -1 });
    expect(figures('other')).toMatchObject({ share: 1, quota: -1 });
  });

  kernelTest('are limited to the request with enableCfs', async () => {
    await containers.launch(containers.isolator({ enableCfs: true }), 'sleep 1000', {
      id: 'web',
      resources: { cpus: 0.2 },
    });
    expect(figures('web')).toMatchObject({ quota: 20_000 });
  });

  kernelTest('change while it runs; what an update does not name stays', async () => {
    const isolator = containers.isolator();
    const { container } = await containers.launch(isolator, 'sleep 1000', {
      id: 'web',
      resources: { cpus: 0.5 },
    });
    await isolator.call('update', container, { cpus: 1.5 }, { cpus: 1.75 });
    expect(figures('web')).toMatchObject({ share: 1.5, quota: 175_000 });
    await isolator.call('update', container, { mem: 64 }, {});
    expect(figures('web')).toMatchObject({ share: 1.5, quota: 175_000 });
    await isolator.call('update', container, { cpus: 1 }, {});
    expect(figures('web')).toMatchObject({ share: 1, quota: -1 });
  });

  kernelTest('hold a busy loop to 0.5 of a processor, within 10 %, and the statistics say so', async () => {
    const isolator = containers.isolator();
    // A share that beats whatever else runs here: the limit is what is measured.
    const { container, process } = await containers.launch(isolator, 'while :; do :; done', {
      id: 'web',
      resources: { cpus: 100 },
      limits: { cpus: 0.5 },
    });
    process.release();
    const measured: number[] = [];
    // Whatever else runs here may keep it from what it is allowed, never let it have more.
    while (measured.length < 3 && !measured.some((cpus) => cpus > 0.45)) {
      await sleep(200);
      measured.push(await cpusUsed(isolator, container, 3000));
    }
    expect(Math.max(...measured)).toBeGreaterThan(0.45);
    expect(Math.max(...measured)).toBeLessThan(0.55);
    const after = await containers.usage(isolator, container);
    expect(after).toMatchObject({ cpus_limit: 0.5, cpus_soft_limit: 100 });
    expect(after.cpus_nr_periods).toBeGreaterThan(25);
    expect(after.cpus_nr_throttled).toBeGreaterThan(10);
    expect(after.cpus_throttled_time_secs).toBeGreaterThan(0.5);
  });

  kernelTest('used by a child that has ended stay in the figures', async () => {
    const isolator = containers.isolator({ countProcesses: true });
    const { container, process } = await containers.launch(
      isolator,
      `sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; echo done; exec sleep 1000`,
      { id: 'web' },
    );
    process.release();
    await process.output(/done/);
    const { cpus_user_time_secs, processes, threads } = await containers.usage(isolator, container);
    expect(cpus_user_time_secs).toBeGreaterThan(0.02);
    expect([processes, threads]).toEqual([1, 1]);
  });

  kernelTest('without a limit and an option: neither throttling figures nor counts', async () => {
    const isolator = containers.isolator();
    const { container } = await containers.launch(isolator, 'sleep 1000', { id: 'web' });
    const statistics = await containers.usage(isolator, container);
    expect(Object.keys(statistics).sort()).toEqual([
      'cpus_system_time_secs',
      'cpus_user_time_secs',
      'timestamp',
    ]);
  });
});

describe('a nested container', () => {
  kernelTest('shares the cpus of its parent, and cannot be updated alone', async () => {
    const isolator = containers.isolator();
    const parent = await containers.launch(isolator, 'sleep 1000', { id: 'web', resources: { cpus: 0.5 } });
    const { container, process } = await containers.launch(isolator, 'sleep 1000', { id: 'web.a' });
    const path = version === 2 ? 'web/mesos/a/leaf' : 'web';
    expect(cgroupOf(process.pid).path).toBe(`${ROOT}/${path}`);
    expect(await containers.usage(isolator, container)).toEqual({ timestamp: 0 });
    await expect(isolator.call('update', container, { cpus: 1 }, {})).rejects.toMatchObject({
      code: 'SHARES_PARENTS_CPUS',
      kind: 'conflict',
    });
    await isolator.call('update', container, {}, {});
    await isolator.call('cleanup', container);
    expect(cgroupOf(parent.process.pid).path).toBe(`${ROOT}/${version === 2 ? 'web/leaf' : 'web'}`);
  });

  kernelTest('has cpus of its own if it asks for that', async () => {
    const isolator = containers.isolator();
    await containers.launch(isolator, 'sleep 1000', {
      id: 'web',
      resources: { cpus: 1 },
      limits: { cpus: 1 },
    });
    const config = { shareCgroups: false };
    const resources = { cpus: 0.25 };
    await containers.launch(isolator, 'sleep 1000', { id: 'web.a', config, resources, limits: resources });
    expect(figures('web/mesos/a')).toMatchObject({ share: 0.25, quota: 25_000 });
  });
});

describe('a restart of the agent', () => {
  kernelTest('changes nothing of a container, also with another cgroups root', async () => {
    const before = containers.isolator();
    const { container } = await containers.launch(before, 'sleep 1000', {
      id: 'web',
      resources: { cpus: 0.5 },
    });
    const after = containers.isolator({ root: `${ROOT}-2` }, before);
    await after.call('recover', { containers: [container], orphans: [] });
    expect(after.log.lines).toEqual([]);
    expect(await containers.usage(after, container)).toMatchObject({ cpus_soft_limit: 0.5 });
    await after.call('update', container, { cpus: 0.75 }, {});
    expect(figures('web')).toMatchObject({ share: 0.75 });
    await after.call('cleanup', container);
    expect((cgroups.find('cpu') as Hierarchy).cgroup(ROOT).exists()).toBe(false);
  });

  kernelTest('tells of a cgroup that is gone', async () => {
    const isolator = containers.isolator();
    await isolator.call('recover', {
      containers: [containers.host.container({ id: 'lost' })],
      orphans: ['x'],
    });
    expect(isolator.log.lines[0]).toMatchObject({ level: 'warn', fields: { container: 'lost' } });
  });
});

kernelTest('a container with a root filesystem sees its own cgroup, read-only', async () => {
  const isolator = containers.isolator();
  const container = containers.container(isolator, { id: 'web' });
  const tmpfs = { type: 'tmpfs', target: '/sys/fs/cgroup', flags: [] };
  const plan = await isolator.prepare(container, new LaunchPlan({ argv: ['true'], mounts: [tmpfs] }));
  const hierarchy = cgroups.find('cpu') as Hierarchy;
  expect(plan.data.mounts[1]).toEqual({
    type: 'bind',
    source: `${hierarchy.mountPoint}/${ROOT}/web`,
    target: version === 2 ? '/sys/fs/cgroup' : hierarchy.mountPoint,
    recursive: false,
    flags: ['ro', 'nosuid', 'nodev', 'noexec'],
    createTarget: 'directory',
  });
});
