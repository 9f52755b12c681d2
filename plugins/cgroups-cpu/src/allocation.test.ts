import { describe, expect, test } from '@jest/globals';
import { allocationOf, quotaUsOf, sharesOf, weightOf } from './allocation.js';

const NONE = Number.POSITIVE_INFINITY;

describe('cpus in the words of the kernel', () => {
  test.each([
    // cpus, cpu.shares, cpu.weight, microseconds of 100 ms
    [0, 2, 1, 1_000],
    [0.001, 2, 1, 1_000],
    [0.1, 102, 10, 10_000],
    [0.29, 296, 29, 29_000],
    [0.5, 512, 50, 50_000],
    [1, 1024, 100, 100_000],
    [2.5, 2560, 250, 250_000],
    [0.0109, 11, 1, 1_100],
    [1000, 262_144, 10_000, 100_000_000],
  ])('%d cpus', (cpus, shares, weight, quotaUs) => {
    expect([sharesOf(cpus), weightOf(cpus), quotaUsOf(cpus)]).toEqual([shares, weight, quotaUs]);
  });

  test('no limit', () => {
    expect(quotaUsOf(NONE)).toBe(NONE);
  });
});

describe('what a container gets', () => {
  test.each([
    ['nothing said', {}, {}, false, undefined, undefined],
    ['a request', { cpus: 2 }, {}, false, 2, NONE],
    ['a request, limits enforced', { cpus: 2 }, {}, true, 2, 2],
    ['a request and a limit', { cpus: 1 }, { cpus: 3 }, false, 1, 3],
    ['a limit alone', {}, { cpus: 3 }, true, undefined, 3],
    ['other resources', { mem: 64 }, { mem: 128 }, true, undefined, undefined],
  ] as const)('%s', (_, resources, limits, enableCfs, request, limit) => {
    expect(allocationOf(resources, limits, enableCfs)).toEqual({ request, limit });
  });

  test('a limit of "Infinity" takes the enforced one away', () => {
    const limits = { cpus: 'Infinity' } as unknown as { cpus: number };
    expect(allocationOf({ cpus: 1 }, limits, true)).toEqual({ request: 1, limit: NONE });
  });
});
