import { readFileSync, rmSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { type Cgroup, type Hierarchy, Cgroups as HostCgroups } from '@caisson/linux/cgroups';
import { GatedProcess, needs, withCensus } from '@caisson/linux/testing';
import { Cgroups } from '@caisson/plugin-sdk';
import {
  type ContainerOverrides,
  describeIsolatorContract,
  type StartedIsolator,
  TestContainers,
} from '@caisson/plugin-sdk/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import plugin from './index.js';

const MIB = 2 ** 20;
const ROOT = 'caisson-mem-test';
const cgroups = new HostCgroups();
const services = [[Cgroups, cgroups]] as const;
const host = plugin.isolators?.[0]?.requires?.host;
const kernelTest = needs(test, { root: true, programs: ['python3'], host: () => host?.() });
const version = process.getuid?.() === 0 ? cgroups.find('memory')?.version : undefined;
const v1Test = needs(test, {
  root: true,
  host: () => (version === 1 ? undefined : 'memory is not version 1'),
});

/** Takes as many MiB at once. */
const taking = (mib: number) =>
  `exec 2>/dev/null; dd if=/dev/zero of=/dev/null bs=${mib}M count=1; echo survived; sleep 1000`;

/** Takes as many MiB and holds them. */
const holding = (mib: number) => [
  'python3',
  '-c',
  `x = b'x' * (${mib} << 20); print('ready', flush=True); input()`,
];

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

/** A container at its gate, watched. */
async function launch(
  isolator: StartedIsolator,
  command: string | readonly string[],
  overrides: ContainerOverrides = {},
) {
  const launched = await containers.launch(isolator, command, overrides);
  return { ...launched, ...(await containers.watch(isolator, launched.container)) };
}

const cgroupAt = (path: string): Cgroup => (cgroups.find('memory') as Hierarchy).cgroup(`${ROOT}/${path}`);

/** What the kernel was told, in bytes. */
function limits(path: string): { soft: number; hard: number } {
  const [soft, hard] =
    version === 2 ? ['memory.low', 'memory.max'] : ['memory.soft_limit_in_bytes', 'memory.limit_in_bytes'];
  const read = (file = '') => {
    const bytes = cgroupAt(path).readNumber(file);
    return bytes > 2 ** 62 ? Number.POSITIVE_INFINITY : bytes;
  };
  return { soft: read(soft), hard: read(hard) };
}

const LIMITED = { id: 'web', resources: { mem: 64 } };

describeIsolatorContract({
  plugin,
  services,
  options: { root: ROOT },
  container: () => ({ resources: { mem: 64 }, limits: { mem: 128 } }),
});

describe('out of memory', () => {
  kernelTest('a process that takes 128 MiB of 64 is killed, and the limitation has the figures', async () => {
    const isolator = containers.isolator();
    const { process, limitation } = await launch(isolator, taking(128), LIMITED);
    process.release();
    const { reason, message, resources } = await limitation;
    expect(reason).toBe('REASON_CONTAINER_LIMITATION_MEMORY');
    expect(message).toMatch(
      /^Memory limit exceeded: Requested: 64MB Maximum Used: 6[34]\w*B\n\nMEMORY STATISTICS: \n/,
    );
    expect(message).toMatch(version === 2 ? /^anon \d+$/m : /^total_rss \d+$/m);
    expect(resources?.mem).toBeGreaterThan(63);
    expect(resources?.mem).toBeLessThanOrEqual(64);
    expect(await process.output(/survived/)).toBe('survived\n'); // the shell, which took nothing
  });

  kernelTest('one that takes 32 MiB lives, and its use is told', async () => {
    const isolator = containers.isolator();
    const { process, limitations, container } = await launch(isolator, holding(32), LIMITED);
    process.release();
    await process.output(/ready/);
    const statistics = await containers.usage(isolator, container);
    expect(statistics.mem_rss_bytes).toBeGreaterThan(32 * MIB);
    expect(statistics.mem_total_bytes).toBeGreaterThanOrEqual(statistics.mem_rss_bytes as number);
    expect(statistics).toMatchObject({
      mem_limit_bytes: 64 * MIB,
      mem_soft_limit_bytes: 64 * MIB,
      mem_anon_bytes: statistics.mem_rss_bytes,
      mem_file_bytes: statistics.mem_cache_bytes,
      mem_mapped_file_bytes: expect.any(Number),
      mem_unevictable_bytes: 0,
      mem_kmem_usage_bytes: expect.any(Number),
      mem_kmem_tcp_usage_bytes: 0,
    });
    expect(statistics.mem_total_memsw_bytes).toBeUndefined();
    if (version === 1)
      expect(statistics).toMatchObject({
        mem_low_pressure_counter: expect.any(Number),
        mem_medium_pressure_counter: expect.any(Number),
        mem_critical_pressure_counter: expect.any(Number),
      });
    expect(limitations).toEqual([]);
  });

  kernelTest('is told once, at the latest by cleanup: the end may be known before the event', async () => {
    const isolator = containers.isolator();
    const { process, container, limitations } = await launch(
      isolator,
      'exec dd if=/dev/zero of=/dev/null bs=128M count=1',
      LIMITED,
    );
    process.release();
    expect(await process.ended).toMatchObject({ signal: 'SIGKILL' });
    await isolator.call('cleanup', container);
    expect(limitations).toHaveLength(1);
    expect(limitations[0]?.message).toMatch(/^Memory limit exceeded: Requested: 64MB Maximum Used: 6/);
  });

  kernelTest('while the agent is away is told when it is back', async () => {
    const before = containers.isolator();
    const { process, container } = await launch(before, taking(128), LIMITED);
    process.release();
    await process.output(/survived/);
    const after = containers.isolator({}, before);
    await after.call('recover', { containers: [container], orphans: [] });
    const { limitations } = await containers.watch(after, container);
    expect(limitations).toHaveLength(1);
    await after.call('cleanup', container);
    expect(limitations).toHaveLength(1);
  });

  kernelTest('in a nested container with a limit of its own is not told of its parent', async () => {
    const isolator = containers.isolator();
    const parent = await launch(isolator, 'sleep 1000', { id: 'web', resources: { mem: 256 } });
    const config = { shareCgroups: false };
    const nested = await launch(isolator, taking(128), { id: 'web.a', config, resources: { mem: 64 } });
    parent.process.release();
    nested.process.release();
    expect((await nested.limitation).message).toMatch(/Requested: 64MB/);
    await nested.process.kill();
    await isolator.call('cleanup', nested.container);
    expect(parent.limitations).toEqual([]);
  });
});

describe('limits', () => {
  kernelTest('are soft as requested and hard as limited, at least 32 MB', async () => {
    const isolator = containers.isolator();
    await launch(isolator, 'true', { id: 'a', resources: { mem: 64 }, limits: { mem: 128 } });
    await launch(isolator, 'true', { id: 'b', resources: { mem: 8 } });
    const { container } = await launch(isolator, 'true', { id: 'c' });
    expect(limits('a')).toEqual({ soft: 64 * MIB, hard: 128 * MIB });
    expect(limits('b')).toEqual({ soft: 32 * MIB, hard: 32 * MIB });
    expect(limits('c').hard).toBe(Number.POSITIVE_INFINITY);
    expect((await containers.usage(isolator, container)).mem_limit_bytes).toBe(totalmem());
  });

  kernelTest('are raised while it runs, the hard one never lowered', async () => {
    const isolator = containers.isolator();
    const { container } = await launch(isolator, 'true', LIMITED);
    await isolator.call('update', container, { mem: 128 }, {});
    expect(limits('web')).toEqual({ soft: 128 * MIB, hard: 128 * MIB });
    await isolator.call('update', container, { mem: 40 }, {});
    expect(limits('web')).toEqual({ soft: 40 * MIB, hard: 128 * MIB });
    await isolator.call('update', container, { cpus: 1 }, {});
    expect(limits('web')).toEqual({ soft: 40 * MIB, hard: 128 * MIB });
    await isolator.call('update', container, { mem: 40 }, { mem: 'Infinity' });
    expect(limits('web')).toEqual({ soft: 40 * MIB, hard: Number.POSITIVE_INFINITY });
  });

  kernelTest('below what is in use are refused, with the figures', async () => {
    const isolator = containers.isolator();
    const { container, process } = await launch(isolator, holding(48), { id: 'web' });
    process.release();
    await process.output(/ready/);
    await expect(isolator.call('update', container, { mem: 40 }, {})).rejects.toMatchObject({
      code: 'LIMIT_BELOW_USE',
      kind: 'conflict',
      details: { limitBytes: 40 * MIB },
    });
  });

  kernelTest('of swap too: the sum in version 1, none in version 2', async () => {
    const isolator = containers.isolator({ limitSwap: true });
    const { container } = await launch(isolator, 'true', LIMITED);
    const file = version === 2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes';
    const swap = () => cgroupAt('web').readNumber(file);
    expect(swap()).toBe(version === 2 ? 0 : 64 * MIB);
    await isolator.call('update', container, { mem: 128 }, {});
    expect(swap()).toBe(version === 2 ? 0 : 128 * MIB);
    expect(await containers.usage(isolator, container)).toMatchObject({
      mem_total_memsw_bytes: expect.any(Number),
    });
  });

  kernelTest('burstable: the kernel takes it first when the host runs out of memory', async () => {
    const isolator = containers.isolator();
    const bursting = { resources: { mem: 64 }, limits: { mem: 128 } };
    const { plan } = await launch(isolator, 'true', { id: 'a', ...bursting });
    expect(plan.data.oomScoreAdj).toBe(1000 - Math.floor((1000 * 64 * MIB) / totalmem()));
    const named = await launch(isolator, 'true', { id: 'b', ...bursting, config: { oomScoreAdj: 7 } });
    const even = await launch(isolator, 'true', { id: 'c', resources: { mem: 64 } });
    expect([named.plan.data.oomScoreAdj, even.plan.data.oomScoreAdj]).toEqual([0, 0]);
  });
});

v1Test('pressure is counted', async () => {
  const isolator = containers.isolator();
  // More files than fit, again and again: the kernel reclaims their pages.
  const command = 'while :; do head -c 96M /dev/zero > "$0"; echo round; done';
  const file = join(containers.host.directory, 'pages');
  const { process, container } = await launch(isolator, ['sh', '-c', command, file], {
    id: 'web',
    resources: { mem: 32 },
  });
  expect((await containers.usage(isolator, container)).mem_low_pressure_counter).toBe(0);
  process.release();
  await process.output(/round/);
  await process.kill();
  rmSync(file);
  expect((await containers.usage(isolator, container)).mem_low_pressure_counter).toBeGreaterThan(0);
  const silent = containers.isolator({ pressureCounters: false });
  await containers.watch(silent, container);
  expect((await containers.usage(silent, container)).mem_low_pressure_counter).toBeUndefined();
  await silent.call('cleanup', container);
});

describe('a nested container', () => {
  kernelTest('shares the memory of its parent, and cannot be updated alone', async () => {
    const isolator = containers.isolator();
    await launch(isolator, 'sleep 1000', LIMITED);
    const { container, process, limitations } = await launch(isolator, 'sleep 1000', { id: 'web.a' });
    const path = version === 2 ? 'web/mesos/a/leaf' : 'web';
    expect(readFileSync(`/proc/${process.pid}/cgroup`, 'utf8')).toContain(`/${ROOT}/${path}\n`);
    expect(await containers.usage(isolator, container)).toEqual({ timestamp: 0 });
    await expect(isolator.call('update', container, { mem: 1 }, {})).rejects.toMatchObject({
      code: 'SHARES_PARENTS_MEMORY',
    });
    expect(limitations).toEqual([]);
  });
});
