import type { ResultReference, Slot } from '@caisson/linux/exec-stage';
import { AT_EMPTY_PATH, MOUNT_ATTR, MS, mountAttributes, OPEN_TREE } from '@caisson/linux/syscalls';
import { type BindMount, isBind, type LaunchPlanData, type Mount, type MountFlag } from '@caisson/plugin-sdk';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const { AT_RECURSIVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = OPEN_TREE;
const { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } = MOUNT_ATTR;
const { MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_STRICTATIME } = MOUNT_ATTR;
const ATTRIBUTES: Readonly<Record<MountFlag, number>> = {
  ro: MOUNT_ATTR_RDONLY,
  nosuid: MOUNT_ATTR_NOSUID,
  nodev: MOUNT_ATTR_NODEV,
  noexec: MOUNT_ATTR_NOEXEC,
  noatime: MOUNT_ATTR_NOATIME,
  nodiratime: MOUNT_ATTR_NODIRATIME,
  relatime: 0,
  strictatime: MOUNT_ATTR_STRICTATIME,
};
/** MOUNT_ATTR__ATIME: the bits that one way of keeping access times takes (mount_setattr(2)). */
const ACCESS_TIME = 0x70;

/** MOUNT_ATTR_* bits of a plan's flags. */
export const mountAttributeBits = (flags: readonly MountFlag[]): number =>
  flags.reduce((bits, flag) => bits | ATTRIBUTES[flag], 0);

/** Sets attributes on a detached tree and every mount below it: MS_REMOUNT would change the topmost alone. */
export function setTreeAttributes(
  table: LaunchTable,
  tree: ResultReference,
  flags: readonly MountFlag[],
  propagation = 0,
): void {
  const bits = mountAttributeBits(flags);
  const setsAccessTime = flags.some((flag) => flag === 'relatime' || (ATTRIBUTES[flag] & ACCESS_TIME) !== 0);
  if (bits === 0 && !setsAccessTime && propagation === 0) return;
  const attributes = table.bytes(mountAttributes(bits, setsAccessTime ? ACCESS_TIME : 0, propagation));
  const how = AT_EMPTY_PATH | AT_RECURSIVE;
  table.call('mount_setattr', [tree, table.string(''), how, attributes, 32]);
}

export const isPeer = (mount: Mount): boolean => isBind(mount) && mount.propagation === 'bidirectional';

/**
 * Step open-peer-sources: before the namespace's mounts become slaves, a copy is a peer of the host's mount: what the container
 * mounts below it is seen there. Nothing is mounted yet (threat model F6).
 */
export const openPeerSources: LaunchStep = {
  name: 'open-peer-sources',
  needed: ({ mounts }) => mounts.some(isPeer),
  compile: ({ mounts }, table) => openSources(mounts, isPeer, table),
};

/** Step open-bind-sources: while the host's tree can still be seen, a detached copy of each source (threat model F2). */
export const openBindSources: LaunchStep = {
  name: 'open-bind-sources',
  needed: ({ mounts }) => mounts.some((mount) => isBind(mount) && !isPeer(mount)),
  compile: ({ mounts }, table) => openSources(mounts, (mount) => isBind(mount) && !isPeer(mount), table),
};

function openSources(
  mounts: LaunchPlanData['mounts'],
  which: (mount: Mount) => boolean,
  table: LaunchTable,
): void {
  mounts.forEach((mount, index) => {
    if (!isBind(mount) || !which(mount)) return;
    const given = table.given.get(sourceSlot(index));
    const tree = given ?? openSource(mount, table.slot(sourceSlot(index)), table);
    // What was copied in this namespace is a slave already (step detach-mounts).
    const propagation = mount.propagation === 'private' ? MS.MS_PRIVATE : given ? MS.MS_SLAVE : 0;
    setTreeAttributes(table, tree, mount.flags, propagation);
    table.bindSources.set(mount, tree);
  });
}

/** The slot of the source of the plan's mount number `index`: its resolved path differs from launch to launch. */
export const sourceSlot = (index: number): string => `source ${index}`;

function openSource({ below, recursive }: BindMount, path: Slot, table: LaunchTable): ResultReference {
  const how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  const at = table.openOnHost(path, below === undefined ? 'any' : 'directory');
  // A container may exchange any part of it at any moment (threat model F1: CVE-2021-25741).
  const source = below === undefined ? at : table.openChild(at, below, 'any');
  return table.call('open_tree', [source, table.string(''), how]);
}
