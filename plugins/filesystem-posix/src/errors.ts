import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  ROOTFS_UNSUPPORTED: {
    kind: 'unsupported',
    message: (id: string, rootfs: string) =>
      `container ${id}: filesystem/posix cannot give it the root filesystem ${JSON.stringify(rootfs)}: containers share the filesystem of the host`,
    hint: () =>
      'enable filesystem/linux in place of filesystem/posix (it needs root and the launcher linux), or leave the root filesystem out',
  },
});
