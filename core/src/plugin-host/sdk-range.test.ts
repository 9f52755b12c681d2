import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import satisfies from 'semver/functions/satisfies.js';
import { isWithin, isWithinCaret } from './sdk-range.js';

const number = fc.integer({ min: 0, max: 12 });
const version = fc.tuple(number, number, number).map((parts) => parts.join('.'));

test('a caret means what it means to semver', () => {
  fc.assert(
    fc.property(version, version, (running, lowest) => {
      const known = isWithinCaret(running, `^${lowest}`);
      if (known !== undefined)
        expect(known).toBe(satisfies(running, `^${lowest}`, { includePrerelease: true }));
      else expect(lowest).toMatch(/^0\./);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['1.4.0', '>=1.2 <2', true],
  ['1.4.0', '^1.2.0 || ^2.0.0', true],
  ['2.0.0-rc.1', '^2.0.0-rc.0', true],
  ['1.4.0', '~1.3.0', false],
  ['1.4.0', 'no version at all', false],
])('%s within %s: %s', async (running, range, expected) => {
  expect(isWithinCaret(running, range)).toBeUndefined();
  expect(await isWithin(running, range)).toBe(expected);
});
