import { CLONE, PR } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { cloneContainer } from './clone-container.js';

const cloneFlags = (...create: ('mount' | 'pid' | 'ipc' | 'uts' | 'net' | 'cgroup')[]) =>
  callsOf(cloneContainer, hostPlan('true', { namespaces: { create, enter: [] } }))[0]?.[1];

test('creates the namespaces of the plan, without an exit signal: it tells whether the process has executed', () => {
  expect(cloneFlags()).toBe(0);
  expect(cloneFlags('mount', 'pid')).toBe(CLONE.CLONE_NEWNS | CLONE.CLONE_NEWPID);
  expect(cloneFlags('ipc', 'uts', 'net', 'cgroup')).toBe(
    CLONE.CLONE_NEWIPC | CLONE.CLONE_NEWUTS | CLONE.CLONE_NEWNET | CLONE.CLONE_NEWCGROUP,
  );
});

test('the first process gives up the status file, dies with the supervisor, and gets a session (N1)', () => {
  expect(callsOf(cloneContainer, hostPlan('true'))).toEqual([
    ['clone', 0, 0, 0, 0, 0],
    ['close', 6],
    ['prctl', PR.PR_SET_PDEATHSIG, 9, 0, 0, 0],
    ['setsid'],
    ['umask', 0],
  ]);
});
