import { MOUNT_ATTR, OPEN_TREE } from '@caisson/linux/syscalls';
import type { BindMount, MountFlag } from '@caisson/plugin-sdk';
import { describe, expect, test } from '@jest/globals';
import type { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { mountAttributeBits, openBindSources, setTreeAttributes } from './open-bind-sources.js';

const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE, AT_EMPTY_PATH } = OPEN_TREE;
const bind = (flags: readonly MountFlag[], recursive = true): BindMount => ({
  type: 'bind',
  source: '/volume',
  target: '/mnt',
  recursive,
  flags,
});
const tmpfs = { type: 'tmpfs', target: '/tmp', flags: [] } as const;

describe('open-bind-sources', () => {
  test('a detached copy of each source, by a path without links, while the host can be seen (F2)', () => {
    const calls = callsOf(openBindSources, hostPlan('true', { mounts: [tmpfs, bind(['ro', 'nosuid'])] }));
    expect(calls.map(([name]) => name)).toEqual(['openat2', 'open_tree', 'mount_setattr']);
    expect(calls[0]?.[2]).toBe('$source 1');
    expect(calls[1]).toEqual([
      'open_tree',
      '<openat2 0>',
      '',
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE,
    ]);
  });

  test('not recursive: without the mounts below it', () => {
    const calls = callsOf(openBindSources, hostPlan('true', { mounts: [bind([], false)] }));
    expect(calls[1]?.[3]).toBe(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    expect(calls).toHaveLength(2);
  });

  test('only where something is bound', () => {
    expect(openBindSources.needed?.(hostPlan('true', { mounts: [tmpfs] }))).toBe(false);
  });
});

describe('attributes of a tree', () => {
  const attributesOf = (flags: readonly MountFlag[]) => {
    const step = {
      name: 'attributes',
      compile: (_: unknown, table: LaunchTable) =>
        setTreeAttributes(table, table.call('fsmount', [0, 0, 0]), flags),
    };
    return callsOf(step, hostPlan('true'))[1];
  };
  const struct = (set: number, clear: number) => {
    const bytes = Buffer.alloc(32);
    bytes.writeBigUInt64LE(BigInt(set), 0);
    bytes.writeBigUInt64LE(BigInt(clear), 8);
    return bytes.toString('hex');
  };

  test('reach the mounts below too (F2)', () => {
    expect(attributesOf(['ro'])).toEqual([
      'mount_setattr',
      '<fsmount 0>',
      '',
      AT_EMPTY_PATH | AT_RECURSIVE,
      struct(MOUNT_ATTR.MOUNT_ATTR_RDONLY, 0),
      32,
    ]);
  });

  test('one way of keeping access times takes the place of another', () => {
    expect(attributesOf(['strictatime'])?.[4]).toBe(struct(MOUNT_ATTR.MOUNT_ATTR_STRICTATIME, 0x70));
    expect(attributesOf(['relatime'])?.[4]).toMatch(/^0{16}70/);
  });

  test('none: no call', () => {
    expect(attributesOf([])).toBeUndefined();
    expect(mountAttributeBits(['ro', 'nosuid', 'nodev', 'noexec'])).toBe(15);
  });
});
