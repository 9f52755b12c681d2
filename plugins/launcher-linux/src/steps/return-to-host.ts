import { CLONE } from '@caisson/linux/syscalls';
import { HOST_MOUNTS } from '../fork-server-image.js';
import type { LaunchStep } from '../step.js';

/**
 * Step return-to-host: only in a process of the fork server, which has no tree of the host, and will have no root filesystem either:
 * what the agent sees, or a copy of that (setns(2), unshare(2)).
 */
export const returnToHost: LaunchStep = {
  name: 'return-to-host',
  only: 'received',
  needed: ({ rootfs }) => rootfs === undefined,
  compile({ namespaces }, table) {
    table.call('setns', [HOST_MOUNTS, CLONE.CLONE_NEWNS]);
    table.call('close', [HOST_MOUNTS]);
    if (namespaces.create.includes('mount')) table.call('unshare', [CLONE.CLONE_NEWNS]);
  },
};
