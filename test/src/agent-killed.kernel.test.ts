/**
 * The agent, and supervisors, are killed at random moments under load: what it has answered is true afterwards (threat model, section 3).
 *
 * KILLS says how often, SEED repeats a run: `KILLS=200 SEED=7 npx jest agent-killed`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStat } from '@caisson/linux/proc';
import { SLOWNESS, withCensus } from '@caisson/linux/testing';
import { afterEach, describe, expect } from '@jest/globals';
import { wire } from './agent/api.js';
import { type Entry, Ledger } from './agent/ledger.js';
import { Load } from './agent/load.js';
import { Random } from './agent/random.js';
import { useAgent } from './agent/use-agent.js';

const KILLS = Number(process.env.KILLS ?? 25);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

const { test, folder, agent, api } = useAgent();

/** Names of directories are ids: what is on disk is what is known. */
const onDisk = (directory: string) => readdirSync(join(directory, 'containers'));

describe('the agent is killed by SIGKILL', () => {
  afterEach(() => agent.tidy()); // before the census
  withCensus({ directories: folder.directories, reapOrphans: true });

  test(
    `${KILLS} times under load, seed ${seed}: what was answered is true`,
    async () => {
      console.log(`seed ${seed}, ${KILLS} kills`);
      const random = new Random(seed);
      const ledger = new Ledger();
      const counts = { answered: 0, supervisors: 0 };
      for (let kills = 0; kills < KILLS; kills += 1) {
        if (random.next() < 0.2) await killDuringStart(random);
        await agent.start();
        await check(ledger);
        const load = new Load(agent, ledger, random);
        const running = load.run();
        await sleep(random.below(400));
        await agent.stop('SIGKILL');
        await running;
        counts.answered += load.answered;
        counts.supervisors += load.supervisors;
        expect(load.problems).toEqual([]);
      }
      await agent.start();
      await check(ledger);
      console.log(`${counts.answered} requests were answered, ${counts.supervisors} supervisors killed`);
      await agent.removeAll();
      await agent.stop();
    },
    (60_000 + KILLS * 3_000) * SLOWNESS,
  );

  /** Beside the others: while it starts, recovers, or has just begun to serve. */
  async function killDuringStart(random: Random): Promise<void> {
    const { child, ended } = agent.spawn();
    await sleep(random.below(400));
    child.kill('SIGKILL');
    await ended;
  }

  /** What the one before has answered, against what this one says and what is on disk. */
  async function check(ledger: Ledger): Promise<void> {
    expect(ledger.settle(await agent.list(), true)).toEqual([]);
    await Promise.all([...ledger.entries.values()].map((entry) => endsTruly(ledger, entry)));
    for (const entry of ledger.entries.values())
      if (entry.removal === 'asked') await removeAgain(ledger, entry);
    const outermost = [...ledger.entries.values()].filter(({ parent }) => !parent).map(({ id }) => id);
    for (const directory of folder.directories) expect(onDisk(directory).sort()).toEqual(outermost.sort());
  }

  /** The removal was cut off somewhere. */
  async function removeAgain(ledger: Ledger, entry: Entry): Promise<void> {
    if (entry.parent?.removal === 'asked') return;
    const container_id = wire(entry.id);
    expect(await api.call('REMOVE_CONTAINER', { container_id })).toMatchObject({ status: 200 });
    ledger.forget(entry);
  }

  /** Whatever ends by itself, or was killed, and the answer before the agent died. */
  async function endsTruly(ledger: Ledger, entry: Entry): Promise<void> {
    if (ledger.isSafe(entry) && !entry.isDebug) return;
    if (entry.exitCode === undefined && entry.kill === 'asked') {
      // Nobody knows whether the signal was sent.
      await api.call('KILL_CONTAINER', { container_id: wire(entry.id) });
      entry.kill = 'answered';
    }
    const { status, body } = await api.call('WAIT_CONTAINER', { container_id: wire(entry.id) });
    expect({ id: entry.id, status, body }).toMatchObject({ status: 200 });
    expect(ledger.problemOfStatus(entry, body.exit_status)).toBeUndefined();
    entry.waited = body;
  }
});

describe('a supervisor is killed by SIGKILL', () => {
  afterEach(() => agent.tidy()); // before the census
  withCensus({ directories: folder.directories, reapOrphans: true });

  const launch = async (id: string, more: object = {}) => {
    const config = { argv: ['sh', '-c', 'sleep 1000 & exec sleep 1000'], ...more };
    expect(await api.call('LAUNCH_CONTAINER', { container_id: wire(id), config })).toMatchObject({
      status: 200,
    });
    const { body } = await api.call('GET_CONTAINER', { container_id: wire(id) });
    return { pid: body.pid, supervisor: readStat(body.pid ?? 0)!.ppid };
  };
  const ended = async (id: string) => (await api.call('WAIT_CONTAINER', { container_id: wire(id) })).body;
  const because = { message: expect.stringMatching(/its supervisor was killed/) };

  test('its container ends and says why; the others do not notice', async () => {
    await agent.start();
    const bystander = await launch('bystander');
    const variants = {
      web: {},
      init: { init: true },
      'bystander.debug': { class: 'DEBUG' },
      'bystander.nested': {},
      'bystander.shares': { sharePidNamespace: true },
    };
    for (const [id, config] of Object.entries(variants)) {
      const { supervisor } = await launch(id, config);
      process.kill(supervisor, 'SIGKILL');
      expect(await ended(id)).toMatchObject({ cause: 'SUPERVISOR_KILLED', ...because });
    }
    expect((await api.call('GET_CONTAINER', { container_id: wire('bystander') })).body).toMatchObject({
      state: 'RUNNING',
      pid: bystander.pid,
    });
    await agent.removeAll();
    await agent.stop();
  });

  test('while no agent runs: the next one says why', async () => {
    await agent.start();
    const [web, other] = [await launch('web'), await launch('other')];
    await agent.stop('SIGKILL');
    process.kill(web.supervisor, 'SIGKILL');
    await agent.start();
    expect(await ended('web')).toMatchObject(because);
    expect((await api.call('GET_CONTAINER', { container_id: wire('other') })).body.pid).toBe(other.pid);
    await agent.removeAll();
    await agent.stop();
  });
});
