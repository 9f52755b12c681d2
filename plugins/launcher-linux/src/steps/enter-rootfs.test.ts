import { UMOUNT } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan, standardPlan } from '../testing/standard-plan.js';
import { enterRootfs, keepRoot } from './enter-rootfs.js';

const plan = standardPlan('/images/busybox', 'true');

test('the tree on itself, the new root, and the old one gone before anything is looked up in the image', () => {
  const calls = callsOf(enterRootfs, plan);
  expect(calls.map(([name]) => name).filter((name) => name !== 'mount_setattr')).toEqual([
    'openat2',
    'open_tree',
    'move_mount',
    'fchdir',
    'pivot_root',
    'umount2',
    'chdir',
  ]);
  expect(calls).toContainEqual(['pivot_root', '.', '.']);
  expect(calls).toContainEqual(['umount2', '.', UMOUNT.MNT_DETACH]);
  expect(calls[0]?.[2]).toBe('$rootfs');
});

test('no devices of the image, but for a privileged container', () => {
  const names = (privileged: boolean) => callsOf(enterRootfs, { ...plan, privileged }).map(([name]) => name);
  expect(names(false)).toContain('mount_setattr');
  expect(names(true)).not.toContain('mount_setattr');
});

test('exactly one of the two steps gives the table its root', () => {
  for (const each of [plan, hostPlan('true')]) {
    const needed = [enterRootfs, keepRoot].filter((step) => step.needed?.(each));
    expect(needed).toHaveLength(1);
    const table = new LaunchTable();
    needed[0]?.compile(each, table);
    expect(table.root).toBeDefined();
  }
});
