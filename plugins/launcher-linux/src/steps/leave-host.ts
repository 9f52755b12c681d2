import { AT_FDCWD, MOVE_MOUNT, UMOUNT } from '@caisson/linux/syscalls';
import type { LaunchStep } from '../step.js';
import { createFilesystem, EMPTY_DIRECTORY } from './create-filesystems.js';

/**
 * Step leave-host: only in a process that waits for its launch, which will have a root filesystem. The host's tree is gone from its
 * namespace, and an empty one is in its place, before anything of the launch is known. Taking a tree down, the kernel waits until no
 * processor can still see it: that would be the longest wait of a launch. And what is mounted on the host meanwhile needs nobody's
 * attention.
 *
 * The root filesystem comes to lie on top of the empty one, as that of a host lies on the one that it was booted with.
 *
 * Source  pivot_root(2), "pivot_root(".", ".")"; Linux: Documentation/filesystems/ramfs-rootfs-initramfs.rst
 */
export const leaveHost: LaunchStep = {
  name: 'leave-host',
  only: 'received',
  needed: ({ rootfs }) => rootfs !== undefined,
  compile(_plan, table) {
    const [empty, dot, root] = [table.string(''), table.string('.'), table.string('/')];
    const tree = createFilesystem(table, EMPTY_DIRECTORY);
    table.call('move_mount', [tree, empty, AT_FDCWD, root, MOVE_MOUNT.F_EMPTY_PATH]);
    table.call('fchdir', [tree]);
    table.call('pivot_root', [dot, dot]);
    table.call('umount2', [dot, UMOUNT.MNT_DETACH]);
    table.call('chdir', [root]);
    table.letsGoOfHost = true;
    table.emptyRoot = tree;
  },
};
