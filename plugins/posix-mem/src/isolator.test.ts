import type { Kin } from '@caisson/linux/proc';
import { type ResourceStatistics, z } from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer, StartedIsolator } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import { HostMemory } from './host-memory.js';
import plugin from './index.js';
import { MemoryReader } from './memory-reader.js';
import { PosixMemOptions } from './options.js';
import { readPss, readRss } from './process-memory.js';
import { parsePs } from './ps.js';

describeIsolatorContract({ plugin });

const HEAD = 2_000_000_000;
const kin = (pid: number, ppid: number, session = HEAD): Kin => ({
  pid,
  ppid,
  processGroup: session,
  session,
  startTime: 1,
});

/** A host where each process has ten bytes of its own and half of ten that two share. */
const HOST: HostMemory = {
  list: async () => [kin(HEAD, 1), kin(HEAD + 1, HEAD), kin(7, 1, 7)],
  sum: async (processes) => ({ rss: processes.length * 20, pss: processes.length * 15, byRss: 0 }),
};

async function usage(host: HostMemory, options = {}, pid: number | undefined = HEAD) {
  const isolator = new StartedIsolator({ plugin, options, services: [[HostMemory, host]] });
  const statistics: ResourceStatistics = { timestamp: 1 };
  await isolator.call('usage', fakeContainer({ pid }), statistics);
  return statistics;
}

describe('posix/mem', () => {
  test('counts what processes share once', async () => {
    expect(await usage(HOST)).toEqual({
      timestamp: 1,
      mem_rss_bytes: 30,
      extensions: { 'posix/mem': { measure: 'pss', rss_bytes: 40 } },
    });
  });

  test('counts as Mesos does if told', async () => {
    expect(await usage(HOST, { measure: 'rss' })).toMatchObject({
      mem_rss_bytes: 40,
      extensions: { 'posix/mem': { measure: 'rss', rss_bytes: 40 } },
    });
  });

  test('says of how many processes it knows only the rss', async () => {
    const host: HostMemory = { ...HOST, sum: async () => ({ rss: 40, pss: 40, byRss: 1 }) };
    expect(await usage(host)).toMatchObject({ extensions: { 'posix/mem': { processes_by_rss: 1 } } });
  });

  test('reports nothing of a container that has no process yet', async () => {
    const isolator = new StartedIsolator({ plugin, services: [[HostMemory, HOST]] });
    const statistics: ResourceStatistics = { timestamp: 1 };
    await isolator.call('usage', fakeContainer(), statistics);
    expect(statistics).toEqual({ timestamp: 1 });
  });

  test('says why there is no figure', async () => {
    const failing: HostMemory = { ...HOST, list: async () => Promise.reject(new Error('spawn ps ENOENT')) };
    await expect(usage(failing)).rejects.toMatchObject({ code: 'PROCESSES_UNREADABLE', kind: 'failed' });
  });

  test('runs anywhere, and sees nested containers', () => {
    expect(plugin.isolators?.[0]).toMatchObject({ name: 'posix/mem', supportsNesting: true });
    expect(plugin.isolators?.[0]?.requires).toBeUndefined();
  });

  test('its option is explained', () => {
    expect(PosixMemOptions.safeParse({ measure: 'uss' }).success).toBe(false);
    expect(z.toJSONSchema(PosixMemOptions, { io: 'input' }).properties).toMatchObject({
      measure: { default: 'pss', enum: ['pss', 'rss'] },
    });
  });
});

describe('the sum', () => {
  const quick = (pid: number) => ({ rss: pid, pss: undefined });
  const exact = async (pid: number) => ({ rss: pid, pss: pid / 2 });

  test('adds up; what does not tell its pss counts with its rss', async () => {
    const reader = new MemoryReader(
      () => 0,
      async (pid) => (pid === 4 ? quick(pid) : exact(pid)),
      quick,
    );
    expect(await reader.sum([2, 4, 6], true)).toEqual({ rss: 12, pss: 8, byRss: 1 });
    expect(await reader.sum([2, 4, 6], false)).toEqual({ rss: 12, pss: 12, byRss: 3 });
    expect(await reader.sum([], true)).toEqual({ rss: 0, pss: 0, byRss: 0 });
  });

  test('goes over to the quicker figure when it takes too long', async () => {
    let now = 0;
    const reader = new MemoryReader(
      () => now,
      async (pid) => {
        now += 800;
        return exact(pid);
      },
      quick,
    );
    expect((await reader.sum([1, 1, 1, 1, 1, 1], true)).byRss).toBeGreaterThanOrEqual(3);
  });
});

describe('ps', () => {
  test('lines; what is none is left out', () => {
    expect(parsePs('  PID PPID PGID RSS\n    1     0     1   8\n  501   1   500   1024\n\n')).toMatchObject([
      { pid: 1, ppid: 0, processGroup: 1, rssBytes: 8192 },
      { pid: 501, ppid: 1, processGroup: 500, rssBytes: 1_048_576 },
    ]);
  });
});

const linuxTest = process.platform === 'linux' ? test : test.skip;
linuxTest('this process, as /proc tells', async () => {
  const { rss, pss = Number.NaN } = await readPss(process.pid);
  expect(rss).toBeGreaterThan(10 * 2 ** 20);
  expect(pss).toBeGreaterThan(2 ** 20);
  expect(pss).toBeLessThanOrEqual(rss);
  expect(readRss(process.pid).rss).toBeGreaterThan(10 * 2 ** 20);
});

linuxTest('a process that has ended has nothing', async () => {
  const gone = 2 ** 22 + 1;
  expect(await readPss(gone)).toMatchObject({ rss: 0 });
  expect(readRss(gone)).toEqual({ rss: 0, pss: 0 });
});
