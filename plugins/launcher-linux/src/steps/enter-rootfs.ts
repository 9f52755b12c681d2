import type { ResultReference } from '@caisson/linux/exec-stage';
import { AT_EMPTY_PATH, AT_FDCWD, MOVE_MOUNT, MS, O, OPEN_TREE, UMOUNT } from '@caisson/linux/syscalls';
import type { MountFlag } from '@caisson/plugin-sdk';
import { ROOTFS } from '../host-trees.js';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { setTreeAttributes } from './open-bind-sources.js';

const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE } = OPEN_TREE;

/**
 * Step enter-rootfs: the root filesystem becomes `/`, and the host's tree is gone from the namespace before anything is
 * looked up in the image: no link in it can lead out.
 *
 * Source  pivot_root(2), "pivot_root(".", ".")"
 */
export const enterRootfs: LaunchStep = {
  name: 'enter-rootfs',
  needed: ({ rootfs }) => rootfs !== undefined,
  compile({ privileged }, table) {
    // A node in an image opens the host's disk to whom the node's mode says: devices are those of our /dev alone.
    const flags = privileged ? [] : (['nodev'] as const);
    const given = table.given.get(ROOTFS);
    table.root = given ? coverEmptyRoot(given, flags, table) : changeRoot(flags, table);
  },
};

function changeRoot(flags: readonly MountFlag[], table: LaunchTable): ResultReference {
  const empty = table.string('');
  const dot = table.string('.');
  const directory = table.openOnHost(table.slot('rootfs'), 'directory');
  // pivot_root wants a mount point: the directory's tree, with its submounts, on itself.
  const clone = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  const tree = table.call('open_tree', [directory, empty, clone]);
  setTreeAttributes(table, tree, flags);
  const how = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
  table.call('move_mount', [tree, empty, directory, empty, how]);
  table.call('fchdir', [tree]);
  table.call('pivot_root', [dot, dot]);
  // The old root now lies on top of the new one, at the working directory.
  table.call('umount2', [dot, UMOUNT.MNT_DETACH]);
  table.call('chdir', [table.string('/')]);
  return tree;
}

/** The host's tree is gone already (step leave-host). */
function coverEmptyRoot(
  tree: ResultReference,
  flags: readonly MountFlag[],
  table: LaunchTable,
): ResultReference {
  // Here it would still be a peer of the host's mount: what the container mounts would show there (threat model F6).
  setTreeAttributes(table, tree, flags, MS.MS_SLAVE);
  const [empty, root] = [table.string(''), table.string('/')];
  table.call('move_mount', [tree, empty, AT_FDCWD, root, MOVE_MOUNT.F_EMPTY_PATH]);
  table.call('fchdir', [tree]);
  table.call('chroot', [table.string('.')]);
  return tree;
}

/** Step keep-root: without a root filesystem, paths are those of the host as the new mount namespace shows it. */
export const keepRoot: LaunchStep = {
  name: 'keep-root',
  needed: ({ rootfs }) => rootfs === undefined,
  compile(_plan, table) {
    const flags = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;
    table.root = table.call('openat', [AT_FDCWD, table.string('/'), flags, 0]);
  },
};
