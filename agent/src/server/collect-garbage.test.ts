import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { GarbageCollector } from './collect-garbage.js';
import type { Containers } from './context.js';
import { FakeAgent } from './testing/fake-agent.js';

const DAY = 86_400_000;
const settings = { gcDelayMs: 7 * DAY, gcDiskHeadroom: 0.1, diskWatchMs: DAY };

let agent: FakeAgent;
let collector: GarbageCollector;
let now = 0;
beforeEach(async () => {
  agent = new FakeAgent();
  now = 0;
  const { containers, context } = agent;
  collector = new GarbageCollector(containers as unknown as Containers, settings, context.log, () => now);
  await containers.launch('runs', { argv: ['true'] });
  await containers.launch('before', { argv: ['true'] });
  containers.end('before', { status: 0, reason: 'EXITED' });
  collector.start();
});
afterEach(async () => {
  collector.stop();
  await agent.close();
});

const known = () => [...agent.containers.known.keys()];

async function ended(id: string): Promise<void> {
  await agent.containers.launch(id, { argv: ['true'] });
  agent.containers.end(id, { status: 0, reason: 'EXITED' });
}

test('what ended longer ago than the delay allows is removed; what runs is not', async () => {
  now = 3 * DAY;
  await ended('later');
  await collector.collect(0);
  expect(known()).toEqual(['runs', 'before', 'later']);
  now = 6.3 * DAY; // 7 days x (1 - headroom)
  await collector.collect(0);
  expect(known()).toEqual(['runs', 'later']);
  now = 30 * DAY;
  await collector.collect(0);
  expect(known()).toEqual(['runs']);
});

test('the fuller the disk, the sooner; at the headroom at once', async () => {
  now = 1.5 * DAY;
  await collector.collect(0.5);
  expect(known()).toContain('before');
  await collector.collect(0.7); // 7 x 0.2 = 1.4 days
  expect(known()).toEqual(['runs']);
  await ended('fresh');
  await collector.collect(0.9);
  expect(known()).toEqual(['runs']);
});

test('a nested one goes with its parent', async () => {
  await ended('runs.job');
  now = 30 * DAY;
  await collector.collect(0);
  expect(known()).toEqual(['runs', 'runs.job']);
});

test('one that cannot be removed is tried again, and keeps none of the others', async () => {
  await ended('other');
  const { remove } = agent.containers;
  agent.containers.remove = async (id) => {
    if (id === 'before') throw new Error('its disk is broken');
    return remove.call(agent.containers, id);
  };
  now = 30 * DAY;
  await collector.collect(0);
  expect(known()).toEqual(['runs', 'before']);
  agent.containers.remove = remove;
  await collector.collect(0);
  expect(known()).toEqual(['runs']);
});
