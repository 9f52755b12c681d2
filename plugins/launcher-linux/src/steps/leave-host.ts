import { HOST_MOUNTS } from '../fork-server-image.js';
import type { LaunchStep } from '../step.js';

/**
 * Step leave-host: only in a process that waits for its launch, which will have a root filesystem. The host's tree is gone already:
 * the fork server has let go of it, and what it clones sees an empty root alone. With the door back closed, nothing of the host can
 * be reached before the launch is known, and what is mounted there meanwhile needs nobody's attention.
 *
 * The root filesystem comes to lie on top of the empty one, as that of a host lies on the one that it was booted with.
 *
 * Source  Linux: Documentation/filesystems/ramfs-rootfs-initramfs.rst
 */
export const leaveHost: LaunchStep = {
  name: 'leave-host',
  only: 'received',
  needed: ({ rootfs }) => rootfs !== undefined,
  compile(_plan, table) {
    table.call('close', [HOST_MOUNTS]);
    table.letsGoOfHost = true;
  },
};
