import { CLONE, PR } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { enterPidNamespace, leaveDoor, leaveJoiner, ownSession } from './enter-pid-namespace.js';

const entering = (...create: 'pid'[]) =>
  hostPlan('true', { namespaces: { create, enter: [{ kind: 'pid', pid: 42 }] } });

test('the process inside is left to the supervisor and dies with it (N5)', () => {
  const dies = [
    ['prctl', PR.PR_SET_DUMPABLE, 0, 0, 0, 0],
    ['prctl', PR.PR_SET_PDEATHSIG, 9, 0, 0, 0],
  ];
  expect(callsOf(enterPidNamespace, entering())).toEqual([
    ['clone', CLONE.CLONE_PARENT, 0, 0, 0, 0],
    ...dies,
  ]);
  expect(callsOf(enterPidNamespace, entering('pid'))).toEqual([
    ['clone', CLONE.CLONE_PARENT, 0, 0, 0, 0],
    ['clone', CLONE.CLONE_PARENT | CLONE.CLONE_NEWPID, 0, 0, 0, 0],
    ...dies,
  ]);
});

test('it has a session that its pid namespace knows (N1)', () => {
  expect(callsOf(ownSession, entering())).toEqual([['setsid']]);
});

test('who helped it in ends, the door by a signal that tells it from the container', () => {
  expect(callsOf(leaveJoiner, entering())).toEqual([['exit_group', 0]]);
  expect(callsOf(leaveDoor, entering('pid'))).toEqual([['getpid'], ['kill', '<getpid 0>', 64]]);
  expect(leaveDoor.needed?.(entering())).toBe(false);
});
