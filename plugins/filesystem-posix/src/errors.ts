import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  ROOTFS_UNSUPPORTED: {
    kind: 'unsupported',
    message: (id: string, rootfs: string) =>
      `container ${id}: filesystem/posix cannot give it the root filesystem ${JSON.stringify(rootfs)}: containers share the filesystem of the host`,
    hint: () =>
      'enable filesystem/linux in place of filesystem/posix (it needs root and the launcher linux), or leave the root filesystem out',
  },
  VOLUME_READ_ONLY: {
    kind: 'unsupported',
    message: (id: string, volume: string) =>
      `container ${id}: filesystem/posix cannot make the persistent volume ${JSON.stringify(volume)} read-only: it is a link in the sandbox`,
    hint: () => 'give it the mode RW, or enable filesystem/linux in place of filesystem/posix',
  },
  VOLUME_PLACE_TAKEN: {
    kind: 'conflict',
    message: (id: string, volume: string, name: string) =>
      `container ${id}: the persistent volume ${JSON.stringify(volume)} cannot be at ${JSON.stringify(name)}: the container has something else there`,
    hint: () => 'have the container remove it, or give the volume another name',
  },
});
