import { describe, expect, test } from '@jest/globals';
import { allocationOf, MIB, oomScoreAdjOf } from './allocation.js';

const infinite = { mem: 'Infinity' } as unknown as { mem: number };

describe('memory in the words of the kernel', () => {
  test.each([
    ['nothing said', {}, {}, undefined, undefined],
    ['a request', { mem: 64 }, {}, 64 * MIB, 64 * MIB],
    ['a request and a limit', { mem: 64 }, { mem: 128 }, 64 * MIB, 128 * MIB],
    ['a limit alone', {}, { mem: 128 }, undefined, 128 * MIB],
    ['a fraction', { mem: 64.5 }, {}, 64.5 * MIB, 64.5 * MIB],
    ['three decimals, rounded', { mem: 64.0004 }, { mem: 64.0006 }, 64 * MIB, 67_109_912],
    ['less than 32 MB', { mem: 0 }, { mem: 31 }, 32 * MIB, 32 * MIB],
    ['no limit', { mem: 64 }, infinite, 64 * MIB, Number.POSITIVE_INFINITY],
    ['other resources', { cpus: 1 }, { cpus: 2 }, undefined, undefined],
  ])('%s', (_, resources, limits, softBytes, hardBytes) => {
    expect(allocationOf(resources, limits)).toEqual({ softBytes, hardBytes });
  });
});

describe('the score of who may use more than it requested', () => {
  const TOTAL = 1024 * MIB;
  test.each([
    ['no request', {}, { mem: 64 }, undefined],
    ['no limit of its own', { mem: 64 }, {}, undefined],
    ['a limit that is the request', { mem: 64 }, { mem: 64 }, undefined],
    ['a sixteenth of the host', { mem: 64 }, { mem: 128 }, 938],
    ['unlimited', { mem: 512 }, infinite, 500],
    ['more than the host has', { mem: 4096 }, infinite, 0],
  ])('%s', (_, resources, limits, score) => {
    expect(oomScoreAdjOf(resources, limits, TOTAL)).toBe(score);
  });
});
