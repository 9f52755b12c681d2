import { describe, expect, test } from '@jest/globals';
import { limitOf } from './figures.js';
import { PidsOptions } from './options.js';

test.each([
  ['nothing said', {}, {}, undefined],
  ['a request', { pids: 10 }, {}, 10],
  ['a limit wins', { pids: 10 }, { pids: 20 }, 20],
  ['no limit', {}, { pids: 'Infinity' } as unknown as { pids: number }, Number.POSITIVE_INFINITY],
])('the limit of processes: %s', (_, resources, limits, limit) => {
  expect(limitOf(resources, limits)).toBe(limit);
});

describe('the options', () => {
  test('by default nothing is limited', () => {
    expect(PidsOptions.parse({})).toMatchObject({ whenReached: 'refuse', watchInterval: 1000 });
    expect(PidsOptions.parse({}).defaultLimit).toBeUndefined();
  });

  test.each([
    { defaultLimit: 0 },
    { defaultLimit: 1.5 },
    { whenReached: 'kill' },
    { watchInterval: '1ms' },
    { watchInterval: 1 },
  ])('%j is refused', (options) => {
    expect(PidsOptions.safeParse(options).success).toBe(false);
  });
});
