import { LaunchPlan, type LaunchPlanData } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { keepReadOnly } from './protect.js';

const OWN_MOUNTS: LaunchPlanData['namespaces'] = { create: ['mount'], enter: [] };

test.each<[what: string, mountPoint: string, plan: Partial<LaunchPlanData>, readOnly: boolean]>([
  ['in the tree of the host', '/mnt/net_cls', { namespaces: OWN_MOUNTS }, true],
  ['below /sys, which is read-only', '/sys/fs/cgroup/net_cls', { namespaces: OWN_MOUNTS }, false],
  ['with a name like /sys', '/sys2/net_cls', { namespaces: OWN_MOUNTS }, true],
  ['outside of its root filesystem', '/mnt/net_cls', { namespaces: OWN_MOUNTS, rootfs: '/r' }, false],
  ['privileged', '/mnt/net_cls', { namespaces: OWN_MOUNTS, privileged: true }, false],
  ['without a mount namespace', '/mnt/net_cls', {}, false],
])('C1: the hierarchy is read-only: %s', (_, mountPoint, start, readOnly) => {
  const plan = new LaunchPlan({ argv: ['true'], ...start });
  keepReadOnly(plan, mountPoint);
  expect(plan.data.readOnlyPaths).toEqual(readOnly ? [mountPoint] : []);
});
