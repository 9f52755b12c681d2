import { AT_EMPTY_PATH, AT_FDCWD, MOVE_MOUNT, O, OPEN_TREE, UMOUNT } from '@caisson/linux/syscalls';
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
    const empty = table.string('');
    const dot = table.string('.');
    const directory = table.openOnHost(table.slot('rootfs'), 'directory');
    // pivot_root wants a mount point: the directory's tree, with its submounts, on itself.
    const flags = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    const tree = table.call('open_tree', [directory, empty, flags]);
    // A node in an image opens the host's disk to whom the node's mode says: devices are those of our /dev alone.
    if (!privileged) setTreeAttributes(table, tree, ['nodev']);
    const how = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
    table.call('move_mount', [tree, empty, directory, empty, how]);
    table.call('fchdir', [tree]);
    table.call('pivot_root', [dot, dot]);
    // The old root now lies on top of the new one, at the working directory.
    table.call('umount2', [dot, UMOUNT.MNT_DETACH]);
    table.call('chdir', [table.string('/')]);
    table.root = tree;
  },
};

/** Step keep-root: without a root filesystem, paths are those of the host as the new mount namespace shows it. */
export const keepRoot: LaunchStep = {
  name: 'keep-root',
  needed: ({ rootfs }) => rootfs === undefined,
  compile(_plan, table) {
    const flags = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;
    table.root = table.call('openat', [AT_FDCWD, table.string('/'), flags, 0]);
  },
};
