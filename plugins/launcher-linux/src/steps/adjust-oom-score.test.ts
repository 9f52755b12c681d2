import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { adjustOomScore } from './adjust-oom-score.js';

const written = (oomScoreAdj?: number) =>
  callsOf(adjustOomScore, hostPlan('true', oomScoreAdj === undefined ? {} : { oomScoreAdj }))[1];

test('is always written, 0 too: the one of the agent would be inherited (N13)', () => {
  expect(written()).toEqual(['write', '<openat 0>', '0', 1]);
  expect(written(-1000)).toEqual(['write', '<openat 0>', '-1000', 5]);
});
