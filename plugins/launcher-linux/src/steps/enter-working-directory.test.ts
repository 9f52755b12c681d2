import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { enterWorkingDirectory } from './enter-working-directory.js';
import { STEPS } from './index.js';

test('what is entered must be below the root: getcwd gives a path that begins with a slash (N3)', () => {
  expect(callsOf(enterWorkingDirectory, hostPlan('true'))).toEqual([
    ['chdir', '$workingDirectory'],
    ['getcwd', 'memory of 4096', 4096],
    ['compute', '*data', 0xff, 0, 0, { mustBe: '/'.charCodeAt(0) }],
  ]);
});

test('as the user of the container', () => {
  const names = STEPS.map(({ name }) => name);
  expect(names.indexOf('become-user')).toBeLessThan(names.indexOf('enter-working-directory'));
});
