import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  ROOTFS_INVALID: {
    kind: 'invalid',
    message: (id: string, rootfs: string, why: string) =>
      `container ${id}: root filesystem ${JSON.stringify(rootfs)}: ${why}`,
    hint: () =>
      'give the absolute path of a directory that holds the files of a root filesystem: bin, lib, etc, ...',
  },
  ROOTFS_HOLDS_STATE: {
    kind: 'denied',
    message: (id: string, rootfs: string, directory: string) =>
      `container ${id}: root filesystem ${JSON.stringify(rootfs)} holds ${directory}: the container could reach every other one's files`,
    hint: () =>
      'leave the root filesystem out to share the filesystem of the host, or copy the files elsewhere',
  },
  ROOTFS_REACHABLE: {
    kind: 'denied',
    message: (id: string, rootfs: string) =>
      `container ${id}: root filesystem ${JSON.stringify(rootfs)} can be reached by every user of the host`,
    hint: () =>
      'put it into a directory that others cannot search (chmod 0700), or set reachableRootfs of filesystem/linux to "warn"',
  },
  DEBUG_ROOTFS: {
    kind: 'invalid',
    message: (id: string) =>
      `container ${id}: a DEBUG container has no root filesystem: it sees that of its parent`,
    hint: () => 'leave the root filesystem out, or launch it with the class DEFAULT',
  },
  PARENT_NOT_RUNNING: {
    kind: 'conflict',
    message: (id: string, parentId: string) =>
      `container ${id} cannot enter the mount namespace of its parent ${parentId}: no process of it is running`,
    hint: () => 'launch the parent again',
  },
});
