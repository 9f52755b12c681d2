import { CLONE, MS } from '@caisson/linux/syscalls';
import type { NamespaceKind } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { copyMounts, joinNamespaces } from './join-namespaces.js';

const entering = (...kinds: NamespaceKind[]) =>
  hostPlan('true', { namespaces: { create: [], enter: kinds.map((kind) => ({ kind, pid: 42 })) } });

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

test('nothing of it where nothing is entered', () => {
  expect(joinNamespaces.needed?.(hostPlan('true'))).toBe(false);
});

test('a copy of the mounts that were entered, of which nothing goes back (F6)', () => {
  const copying = hostPlan('true', {
    namespaces: { create: ['mount'], enter: [{ kind: 'mount', pid: 42 }] },
  });
  expect(callsOf(copyMounts, copying)).toEqual([
    ['unshare', CLONE.CLONE_NEWNS],
    ['mount', 'none', '/', 0, MS.MS_SLAVE | MS.MS_REC, 0],
  ]);
  expect(copyMounts.needed?.(copying)).toBe(true);
  expect(copyMounts.needed?.(entering('mount'))).toBe(false);
});
