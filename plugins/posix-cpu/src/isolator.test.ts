import type { ResourceStatistics } from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer, StartedIsolator } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import type { Processes } from './container-cpu.js';
import type { TimedProcess } from './cpu-account.js';
import plugin from './index.js';
import { ProcessSource } from './isolator.js';

describeIsolatorContract({ plugin });

const HEAD = 2_000_000_000;
const container = fakeContainer({ pid: HEAD });

const process = (
  pid: number,
  ppid: number,
  userTicks: number,
  more: Partial<TimedProcess> = {},
): TimedProcess => ({
  pid,
  ppid,
  processGroup: HEAD,
  session: HEAD,
  startTime: 1,
  userTicks,
  systemTicks: 0,
  childrenUserTicks: 0,
  childrenSystemTicks: 0,
  ...more,
});

/** A host whose processes a test says. */
class Host implements Processes {
  processes: TimedProcess[] = [];
  list = async () => [...this.processes];
}

const start = (host: Processes, before?: StartedIsolator) =>
  new StartedIsolator({ plugin, services: [[ProcessSource, host]] }, before?.checkpoints);

async function usage(isolator: StartedIsolator, of = container): Promise<Partial<ResourceStatistics>> {
  const { timestamp, ...statistics }: ResourceStatistics = { timestamp: 1 };
  const filled = { timestamp, ...statistics };
  await isolator.call('usage', of, filled);
  const { timestamp: _, ...rest } = filled;
  return rest;
}

describe('posix/cpu', () => {
  test('reports seconds in user and kernel mode of the whole tree', async () => {
    const host = new Host();
    host.processes = [
      process(HEAD, 1, 30, { systemTicks: 12 }),
      process(HEAD + 1, HEAD, 20),
      process(9, 1, 99, { session: 9 }),
    ];
    expect(await usage(start(host))).toEqual({ cpus_user_time_secs: 0.5, cpus_system_time_secs: 0.12 });
  });

  test('nested and DEBUG containers report their own', async () => {
    const host = new Host();
    host.processes = [process(HEAD, 1, 30)];
    for (const more of [{ id: 'web.job' }, { id: 'web.look', class: 'DEBUG' }] as const)
      expect(await usage(start(host), fakeContainer({ ...more, pid: HEAD }))).toMatchObject({
        cpus_user_time_secs: 0.3,
      });
  });

  test('does not go backwards over a restart', async () => {
    const host = new Host();
    host.processes = [process(HEAD, 1, 100), process(HEAD + 1, HEAD, 400)];
    const before = start(host);
    expect(await usage(before)).toMatchObject({ cpus_user_time_secs: 5 });
    host.processes = [process(HEAD, 1, 110)];
    expect(await usage(start(host, before))).toMatchObject({ cpus_user_time_secs: 5 });
  });

  test('writes down what was reported once it has grown by a second, and forgets it at the end', async () => {
    const host = new Host();
    host.processes = [process(HEAD, 1, 99)];
    const isolator = start(host);
    await usage(isolator);
    expect(isolator.checkpoints.ids()).toEqual([]);
    host.processes = [process(HEAD, 1, 100)];
    await usage(isolator);
    expect(isolator.checkpoints.get('web')).toEqual({ user: 100, system: 0 });
    await isolator.call('cleanup', container);
    expect(isolator.checkpoints.ids()).toEqual([]);
  });

  test('a checkpoint that is nonsense is none', async () => {
    const host = new Host();
    host.processes = [process(HEAD, 1, 10)];
    const isolator = start(host);
    isolator.checkpoints.set('web', { user: 'a lot', system: -1 });
    expect(await usage(isolator)).toMatchObject({ cpus_user_time_secs: 0.1 });
  });

  test('reports nothing of a container that has no process yet', async () => {
    expect(await usage(start(new Host()), fakeContainer())).toEqual({});
  });

  test('says why there is no figure', async () => {
    const failing: Processes = { list: async () => Promise.reject(new Error('spawn ps ENOENT')) };
    await expect(usage(start(failing))).rejects.toMatchObject({
      code: 'PROCESSES_UNREADABLE',
      message: 'container web: its processes cannot be listed: spawn ps ENOENT',
    });
  });

  test('runs anywhere, and sees nested containers', () => {
    expect(plugin.isolators?.[0]).toMatchObject({ name: 'posix/cpu', supportsNesting: true });
    expect(plugin.isolators?.[0]?.requires).toBeUndefined();
  });
});
