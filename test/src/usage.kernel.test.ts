/** posix/cpu and posix/mem: what they say of real processes, that daemonise, end, and share memory. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { needs, SLOWNESS, withCensus } from '@caisson/linux/testing';
import type { ResourceStatistics } from '@caisson/plugin-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Containers, newDirectory } from './containers.js';

const kernelTest = needs(test, { root: true, programs: ['setsid', 'awk', 'perl'] });
const canRun = kernelTest === test;

/** How the processes of a container are told: a pid namespace, a cgroup, or parents, sessions and what was seen before. */
const SETTINGS = {
  'pid namespace': { isolation: ['filesystem/linux', 'namespaces/pid', 'posix/cpu', 'posix/mem'] },
  cgroup: { isolation: ['filesystem/linux', 'posix/cpu', 'posix/mem'] },
  'launcher posix': { isolation: ['filesystem/posix', 'posix/cpu', 'posix/mem'], launcher: 'posix' },
};
type Kind = keyof typeof SETTINGS;
const KINDS = Object.keys(SETTINGS) as Kind[];

const scripts = canRun ? newDirectory() : '';
/** Takes so much cpu time: more than it takes to start a container. */
const BURN_SECONDS = 0.2 * SLOWNESS;
const BURN = join(scripts, 'burn');
const DAEMON = join(scripts, 'daemon');
/** 32 MiB that five processes share. */
const SHARE = join(scripts, 'share');

const all = new Map<Kind, Containers>();
beforeAll(async () => {
  if (!canRun) return;
  writeFileSync(
    BURN,
    'while [ "$(awk \'{ print $14 + $15 }\' /proc/$$/stat)" -lt ' +
      `${BURN_SECONDS * 100} ]; do i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; done`,
  );
  writeFileSync(DAEMON, `. ${BURN}; touch burned; until [ -e end ]; do sleep 0.01; done; touch ended`);
  writeFileSync(
    SHARE,
    '$x = "x" x (32 << 20); $n = 5; for (1..4) { fork or ($n = $_, last) } open F, ">", "ready$n"; sleep 60;',
  );
  for (const kind of KINDS) {
    const containers = await Containers.open(SETTINGS[kind]);
    all.set(kind, containers);
    // What is opened on first use would look like a leak of a test.
    const { id } = await containers.start('exec sleep 60');
    await containers.core.usage(id);
    await containers.endAll();
  }
});
afterEach(async () => {
  for (const each of all.values()) await each.endAll();
});
afterAll(async () => {
  for (const each of all.values()) await each.close();
  if (scripts) rmSync(scripts, { recursive: true });
});
// After ours: the census is taken once everything has ended.
withCensus({ reapOrphans: true });

const cpu = ({ cpus_user_time_secs = Number.NaN, cpus_system_time_secs = Number.NaN }: ResourceStatistics) =>
  cpus_user_time_secs + cpus_system_time_secs;

/** How old a figure may be. */
const oneLook = () => sleep(110);

async function appears(directory: string, name: string): Promise<void> {
  while (!existsSync(join(directory, name))) await sleep(5);
}

describe.each(KINDS)('%s', (kind) => {
  const containers = () => all.get(kind) as Containers;
  const usage = (id: string) => containers().core.usage(id);

  kernelTest('cpu time counts a child while it runs and after it has ended', async () => {
    const { id, sandbox } = await containers().start(`sh ${BURN}; touch done; exec sleep 60`);
    let last = 0;
    while (!existsSync(join(sandbox, 'done'))) {
      const now = cpu(await usage(id));
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
      await sleep(20);
    }
    await oneLook();
    expect(cpu(await usage(id))).toBeGreaterThanOrEqual(BURN_SECONDS);
    expect(cpu(await usage(id))).toBeLessThan(5 * BURN_SECONDS);
  });

  kernelTest(
    'cpu time counts a daemon: a session of its own, re-parented, that nobody waits for',
    async () => {
      const { id, sandbox } = await containers().start(
        `(setsid sh ${DAEMON} & exec sleep 60) & until [ -e orphan ]; do sleep 0.01; done; kill $!; wait; touch orphaned; exec sleep 60`,
      );
      await appears(sandbox, 'burned');
      await oneLook();
      const burned = cpu(await usage(id));
      expect(burned).toBeGreaterThanOrEqual(BURN_SECONDS);
      for (const [said, heard] of [
        ['orphan', 'orphaned'],
        ['end', 'ended'],
      ] as const) {
        writeFileSync(join(sandbox, said), '');
        await appears(sandbox, heard);
        expect(cpu(await usage(id))).toBeGreaterThanOrEqual(burned);
      }
      await oneLook();
      expect(cpu(await usage(id))).toBeGreaterThanOrEqual(burned);
    },
  );

  kernelTest('memory that processes share counts once', async () => {
    const { id, sandbox } = await containers().start(`perl ${SHARE} & wait`);
    const ready = () => [1, 2, 3, 4, 5].filter((n) => existsSync(join(sandbox, `ready${n}`))).length;
    while (ready() < 5) await sleep(10);
    await oneLook();
    const { mem_rss_bytes = 0, extensions } = await usage(id);
    const { rss_bytes = 0 } = { ...(extensions?.['posix/mem'] as { rss_bytes?: number }) };
    expect(rss_bytes).toBeGreaterThan(5 * 32 * 2 ** 20);
    expect(mem_rss_bytes).toBeGreaterThan(32 * 2 ** 20);
    expect(mem_rss_bytes).toBeLessThan(rss_bytes / 3);
  });
});

describe('containers beside and in each other', () => {
  const containers = () => all.get('cgroup') as Containers;

  kernelTest('report their own', async () => {
    await containers().start('exec sleep 60', {}, 'web');
    const { sandbox } = await containers().start(`sh ${BURN}; touch done; exec sleep 60`, {}, 'web.job');
    await appears(sandbox, 'done');
    await containers().start('exec sleep 60', {}, 'other');
    await oneLook();
    expect(cpu(await containers().core.usage('web.job'))).toBeGreaterThanOrEqual(BURN_SECONDS);
    for (const id of ['web', 'other'])
      expect(cpu(await containers().core.usage(id))).toBeLessThan(BURN_SECONDS / 2);
  });

  kernelTest('go on counting after a restart of the agent', async () => {
    const settings = { ...SETTINGS['pid namespace'], directory: newDirectory() };
    const first = await Containers.open(settings);
    const { id, sandbox } = await first.start(
      `(setsid sh -c '. ${BURN}; . ${BURN}; . ${BURN}' & exec sleep 60) & for i in 1 2 3 4 5; do sh ${BURN}; done; touch done; exec sleep 60`,
    );
    await appears(sandbox, 'done');
    const before = cpu(await first.core.usage(id));
    expect(before).toBeGreaterThanOrEqual(5 * BURN_SECONDS);
    await first.leave();
    const second = await Containers.open(settings);
    expect(cpu(await second.core.usage(id))).toBeGreaterThanOrEqual(before - 5 * BURN_SECONDS);
    await second.close();
  });
});
