import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { closeDescriptors } from './close-descriptors.js';
import { STEPS } from './index.js';

test('everything from the image on is closed; the report closes with exec (N3, N11)', () => {
  expect(callsOf(closeDescriptors, hostPlan('true'))).toEqual([
    ['close_range', 5, 0xffff_ffff, 0],
    ['close_range', 4, 4, 4],
  ]);
});

test('before any path of the choice of the container (N3: CVE-2024-21626)', () => {
  const names = STEPS.map(({ name }) => name);
  for (const later of ['enter-working-directory', 'execute'])
    expect(names.indexOf('close-descriptors')).toBeLessThan(names.indexOf(later));
});
