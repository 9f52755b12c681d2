import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { stayWithAgent, waitAtGate } from './wait-at-gate.js';

const dying = hostPlan('true', { dieWithParent: true });

test('one byte opens the gate, anything else ends the process (N6)', () => {
  expect(callsOf(waitAtGate, hostPlan('true'))).toEqual([
    ['read', 3, 'memory of 8', 1, { mustBe: 1 }],
    ['close', 3],
  ]);
});

test('with dieWithParent the gate stays, to see the end of the agent after the credentials have changed', () => {
  expect(callsOf(waitAtGate, dying)).toEqual([['read', 3, 'memory of 8', 1, { mustBe: 1 }]]);
  expect(stayWithAgent.needed?.(hostPlan('true'))).toBe(false);
  expect(callsOf(stayWithAgent, dying)).toEqual([
    ['ppoll', '0300000000000000', 1, 'memory of 16', 0, 8, { mustBe: 0 }],
    ['close', 3],
  ]);
});
