import { PR } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { becomeSupervisor } from './become-supervisor.js';

const SIGKILL = 9;
const untraceable = ['prctl', PR.PR_SET_DUMPABLE, 0, 0, 0, 0];

test('lets go of the image and can be traced by nobody', () => {
  expect(callsOf(becomeSupervisor, hostPlan('true'))).toEqual([['close', 5], untraceable]);
});

test('with dieWithParent: asks for the signal first, then whether the agent is still the parent', () => {
  expect(callsOf(becomeSupervisor, hostPlan('true', { dieWithParent: true })).slice(2)).toEqual([
    ['prctl', PR.PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0],
    ['getppid', { mustBe: '$agentPid' }],
  ]);
});
