import { MS } from '@caisson/linux/syscalls';
import type { LaunchStep } from '../step.js';

/** Step detach-mounts: first in the container's new mount namespace. Undo: the namespace's own end. */
export const detachMounts: LaunchStep = {
  name: 'detach-mounts',
  needed: ({ namespaces }) => namespaces.create.includes('mount'),
  compile(_plan, table) {
    // Nothing but an empty root is mounted there, and nobody's peer.
    if (table.letsGoOfHost) return;
    // A new namespace is a peer of the host's: the plan's first mount would show there (mount_namespaces(7)).
    // Slave, not private: mounts made on the host later must still reach us.
    table.call('mount', [table.string('none'), table.string('/'), 0, MS.MS_SLAVE | MS.MS_REC, 0]);
  },
};
