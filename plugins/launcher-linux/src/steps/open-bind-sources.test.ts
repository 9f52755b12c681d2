import { MOUNT_ATTR, MS, mountAttributes, O, OPEN_TREE, openHow, RESOLVE } from '@caisson/linux/syscalls';
import type { BindMount, MountFlag } from '@caisson/plugin-sdk';
import { describe, expect, test } from '@jest/globals';
import type { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import {
  mountAttributeBits,
  openBindSources,
  openPeerSources,
  setTreeAttributes,
} from './open-bind-sources.js';

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

  test('what a container may have changed is opened beneath what it cannot, without links (F1)', () => {
    const mounts = [{ ...bind([]), below: 'a/b' }];
    const calls = callsOf(openBindSources, hostPlan('true', { mounts }));
    expect(calls.map(([name]) => name)).toEqual(['openat2', 'openat2', 'open_tree']);
    expect(calls[1]).toEqual([
      'openat2',
      '<openat2 0>',
      'a/b',
      openHow(O.O_PATH | O.O_CLOEXEC, RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_SYMLINKS).toString('hex'),
      24,
    ]);
  });

  test('private: what the host mounts later does not come in', () => {
    const mounts = [{ ...bind([]), propagation: 'private' as const }];
    const calls = callsOf(openBindSources, hostPlan('true', { mounts }));
    expect(calls[2]?.[4]).toBe(mountAttributes(0, 0, MS.MS_PRIVATE).toString('hex'));
  });

  test('bidirectional: a peer of the mount of the host, taken before all become slaves', () => {
    const mounts = [bind([]), { ...bind([]), propagation: 'bidirectional' as const }];
    expect(callsOf(openPeerSources, hostPlan('true', { mounts })).map(([, , slot]) => slot)).toContain(
      '$source 1',
    );
    expect(callsOf(openBindSources, hostPlan('true', { mounts })).map(([, , slot]) => slot)).toContain(
      '$source 0',
    );
    expect(openPeerSources.needed?.(hostPlan('true', { mounts: [bind([])] }))).toBe(false);
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
