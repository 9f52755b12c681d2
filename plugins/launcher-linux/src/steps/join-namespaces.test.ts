import { CLONE, PR } from '@caisson/linux/syscalls';
import type { NamespaceKind } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { enterPidNamespace, joinNamespaces, leaveJoiner } from './join-namespaces.js';

const entering = (...kinds: NamespaceKind[]) =>
  hostPlan('true', { namespaces: { create: [], enter: kinds.map((kind) => ({ kind, pid: 42 })) } });
/** A table in which the process has been cloned, as enter-pid-namespace leaves it. */
const joined = (table: LaunchTable) => {
  table.joined = table.call('clone', [0, 0, 0, 0, 0]);
};

test('the mount namespace last: after it, paths are those of the container', () => {
  const kinds = callsOf(joinNamespaces, entering('mount', 'pid', 'net', 'cgroup')).map((call) => call[2]);
  expect(kinds).toEqual([CLONE.CLONE_NEWCGROUP, CLONE.CLONE_NEWNET, CLONE.CLONE_NEWPID, CLONE.CLONE_NEWNS]);
});

test('by descriptors that the agent has opened, each of its own', () => {
  const step = new LaunchTable();
  joinNamespaces.compile(entering('mount', 'pid'), step);
  expect(step.extras).toEqual(['namespace pid', 'namespace mount']);
  expect(callsOf(joinNamespaces, entering('mount', 'pid')).map((call) => call[1])).toEqual([7, 8]);
});

test('the process in a pid namespace is left to the supervisor and dies with it (N5)', () => {
  expect(callsOf(enterPidNamespace, entering('pid'))).toEqual([
    ['clone', CLONE.CLONE_PARENT, 0, 0, 0, 0],
    ['prctl', PR.PR_SET_DUMPABLE, 0, 0, 0, 0],
    ['prctl', PR.PR_SET_PDEATHSIG, 9, 0, 0, 0],
  ]);
  expect(callsOf(leaveJoiner, entering('pid'), joined)).toEqual([
    ['write', 4, '&<earlier clone>', 8],
    ['exit_group', 0],
  ]);
});

test('nothing of it where no pid namespace is entered', () => {
  for (const step of [enterPidNamespace, leaveJoiner]) expect(step.needed?.(entering('mount'))).toBe(false);
  expect(joinNamespaces.needed?.(hostPlan('true'))).toBe(false);
});
