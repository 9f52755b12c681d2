import { readFileSync } from 'node:fs';
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

const ROOT = 'caisson-pids-test';
const cgroups = new HostCgroups();
const services = [[Cgroups, cgroups]] as const;
const host = plugin.isolators?.[0]?.requires?.host;
const kernelTest = needs(test, { root: true, host: () => host?.() });
const bombTest = needs(test, {
  root: true,
  programs: ['/usr/bin/python3', 'prlimit', 'setpriv'],
  host: () => host?.(),
});
const version = process.getuid?.() === 0 ? cgroups.find('pids')?.version : undefined;

/** Every process of it forks for as long as it may, and ignores SIGTERM. */
const BOMB = `
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try: os.fork()
    except OSError: pass
    time.sleep(.01)
`;
/** A user's, so that the machine survives the test should nothing else contain it. */
const FORK_BOMB = [
  ...['prlimit', '--nproc=300', 'setpriv', '--reuid', '54322', '--regid', '54322', '--clear-groups'],
  ...['/usr/bin/python3', '-c', BOMB],
];

const containers = new TestContainers(
  { plugin, services, options: { root: ROOT, watchInterval: '20ms' } },
  GatedProcess.start,
);

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

const cgroupAt = (path: string): Cgroup => (cgroups.find('pids') as Hierarchy).cgroup(`${ROOT}/${path}`);
const LIMITED = { id: 'web', resources: { pids: 5 } };
/** Starts four more, and one that there is no place for. */
const TOO_MANY = 'exec 2>/dev/null; for i in 1 2 3 4 5; do sleep 1000 & done; echo started; wait';

describeIsolatorContract({
  plugin,
  services,
  options: { root: ROOT },
  container: () => ({ resources: { pids: 100 } }),
});

describe('a limit of processes', () => {
  kernelTest('is what the container asks for, else the default, else none', async () => {
    const isolator = containers.isolator({ defaultLimit: 77 });
    await launch(isolator, 'true', { id: 'a', resources: { pids: 5 }, limits: { pids: 9 } });
    await launch(isolator, 'true', { id: 'b' });
    const unlimited = await launch(containers.isolator(), 'true', { id: 'c' });
    expect(['a', 'b', 'c'].map((id) => cgroupAt(id).read('pids.max'))).toEqual(['9', '77', 'max']);
    expect((await containers.usage(isolator, unlimited.container)).pids_limit).toBeUndefined();
  });

  kernelTest('makes forks fail, is logged once, and the figures say so', async () => {
    const isolator = containers.isolator();
    const { process, container } = await launch(isolator, TOO_MANY, LIMITED);
    const logged = new Promise<void>((resolve) => {
      const { warn } = isolator.log;
      isolator.log.warn = (fields, message) => {
        warn(fields, message);
        resolve();
      };
    });
    process.release();
    expect((await process.ended).exitCode).not.toBe(0); // the shell gives up
    await logged;
    expect(isolator.log.lines).toEqual([
      {
        level: 'warn',
        fields: expect.objectContaining({ container: 'web', pids_limit: 5, pids_peak: 5 }),
        message: expect.stringMatching(
          /^Process limit exceeded: Requested: 5 Maximum Used: 5 \(.*refused forks: \d+\)$/,
        ),
      },
    ]);
    const statistics = await containers.usage(isolator, container);
    expect(statistics).toMatchObject({ pids_limit: 5, pids_peak: 5, pids_current: 4 });
    expect(statistics.pids_refused_forks).toBeGreaterThan(0);
  });

  kernelTest('ends the container if that is wanted', async () => {
    const isolator = containers.isolator({ whenReached: 'end' });
    const { process, limitation } = await launch(isolator, TOO_MANY, LIMITED);
    process.release();
    expect(await limitation).toEqual({
      reason: 'REASON_CONTAINER_LIMITATION',
      message: expect.stringContaining('Process limit exceeded: Requested: 5 Maximum Used: 5'),
      resources: { pids: 5 },
    });
  });

  kernelTest('changes while it runs; what an update does not name stays', async () => {
    const isolator = containers.isolator();
    const { container } = await launch(isolator, 'true', LIMITED);
    await isolator.call('update', container, { pids: 10 }, {});
    expect(cgroupAt('web').read('pids.max')).toBe('10');
    await isolator.call('update', container, { cpus: 1 }, {});
    expect(cgroupAt('web').read('pids.max')).toBe('10');
    await isolator.call('update', container, { pids: 10 }, { pids: 'Infinity' });
    expect(cgroupAt('web').read('pids.max')).toBe('max');
  });

  bombTest('contains a fork bomb that ignores SIGTERM, and cleanup ends all of it', async () => {
    const isolator = containers.isolator({ whenReached: 'end' });
    const { process, container, limitation } = await launch(isolator, FORK_BOMB, {
      id: 'web',
      resources: { pids: 50 },
    });
    process.release();
    await limitation;
    expect(cgroupAt('web').allPids().length).toBeGreaterThan(20);
    expect((await containers.usage(isolator, container)).pids_peak).toBe(50);
    await process.kill(); // its first process alone
    await isolator.call('cleanup', container);
    expect(cgroupAt('web').exists()).toBe(false);
  });
});

describe('a restart of the agent', () => {
  kernelTest('tells what happened meanwhile', async () => {
    const before = containers.isolator({ watchInterval: '1hrs' });
    const { process, container } = await launch(before, TOO_MANY, LIMITED);
    process.release();
    await process.ended;
    const after = containers.isolator({ whenReached: 'end' }, before);
    await after.call('recover', { containers: [container], orphans: [] });
    const { limitation } = await containers.watch(after, container);
    expect((await limitation).resources).toEqual({ pids: 5 });
    await after.call('cleanup', container);
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

describe('a nested container', () => {
  kernelTest('counts with its parent, and cannot be updated alone', async () => {
    const isolator = containers.isolator();
    const parent = await launch(isolator, 'sleep 1000', LIMITED);
    const { container, process } = await launch(isolator, 'sleep 1000', { id: 'web.a' });
    const path = version === 2 ? 'web/mesos/a/leaf' : 'web';
    expect(readFileSync(`/proc/${process.pid}/cgroup`, 'utf8')).toContain(`/${ROOT}/${path}\n`);
    expect((await containers.usage(isolator, parent.container)).pids_current).toBe(2);
    expect(await containers.usage(isolator, container)).toEqual({ timestamp: 0 });
    await expect(isolator.call('update', container, { pids: 1 }, {})).rejects.toMatchObject({
      code: 'SHARES_PARENTS_PIDS',
    });
    await isolator.call('update', container, {}, {});
  });

  kernelTest('has a limit of its own if it asks for that', async () => {
    const isolator = containers.isolator();
    await launch(isolator, 'sleep 1000', { id: 'web', resources: { pids: 50 } });
    const config = { shareCgroups: false };
    const nested = await launch(isolator, 'sleep 1000', { id: 'web.a', config, resources: { pids: 7 } });
    expect(cgroupAt('web/mesos/a').read('pids.max')).toBe('7');
    expect(await containers.usage(isolator, nested.container)).toMatchObject({
      pids_current: 1,
      pids_limit: 7,
    });
  });
});
