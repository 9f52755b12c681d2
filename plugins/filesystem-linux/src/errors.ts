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
  CONTAINER_GONE: {
    kind: 'conflict',
    message: (id: string) => `container ${id}: its volumes cannot be changed: no process of it is running`,
  },
  VOLUME_PLACE_TAKEN: {
    kind: 'conflict',
    message: (id: string, name: string) =>
      `container ${id}: no persistent volume can be at ${JSON.stringify(name)}: the container has something there`,
    hint: () => 'have the container remove it, or give the volume another name',
  },
  VOLUME_BUSY: {
    kind: 'conflict',
    message: (id: string, name: string) =>
      `container ${id}: the persistent volume at ${JSON.stringify(name)} is in use: umount2: EBUSY`,
    hint: () => 'have its programs close their files there, and leave the directory; then try again',
  },
  VOLUME_NOT_MOUNTED: {
    kind: 'failed',
    message: (id: string, name: string, call: string, errno: string | undefined) =>
      `container ${id}: persistent volume at ${JSON.stringify(name)}: ${call}: ${errno}`,
    hint: (_id: string, _name: string, _call: string, errno: string | undefined) =>
      errno === 'ELOOP' || errno === 'ENOENT' || errno === 'ENOTDIR'
        ? 'the container has put something else in the place of its sandbox, or of the mount point in it'
        : undefined,
  },
});
