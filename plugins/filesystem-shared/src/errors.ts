import { defineErrors } from '@caisson/plugin-sdk';

const quoted = JSON.stringify;

export const errors = defineErrors({
  ROOTFS_UNSUPPORTED: {
    kind: 'unsupported',
    message: (id: string, rootfs: string) =>
      `container ${id}: filesystem/shared cannot give it the root filesystem ${quoted(rootfs)}: containers share the filesystem of the host`,
    hint: () => 'enable filesystem/linux in place of filesystem/shared, or leave the root filesystem out',
  },
  VOLUME_TARGET_INVALID: {
    kind: 'invalid',
    message: (id: string, target: string, why: string) =>
      `container ${id}: a volume cannot be at ${quoted(target)}: ${why}`,
    hint: () =>
      'name an existing directory of the host that the container shall see a private one in place of',
  },
  VOLUME_HIDES_SANDBOX: {
    kind: 'invalid',
    message: (id: string, target: string, sandbox: string) =>
      `container ${id}: a volume at ${quoted(target)} and the sandbox ${sandbox} lie one in the other`,
    hint: () => 'put workDir elsewhere, or the volume',
  },
  VOLUMES_COLLIDE: {
    kind: 'invalid',
    message: (id: string, first: string, second: string, target: string) =>
      `container ${id}: the volumes at ${quoted(first)} and ${quoted(second)} are both at ${target}`,
    hint: () => 'leave one out',
  },
  VOLUME_SOURCE_INVALID: {
    kind: 'invalid',
    message: (id: string, source: string, why: string) =>
      `container ${id}: the volume ${quoted(source)} ${why}`,
  },
  PARENT_NOT_RUNNING: {
    kind: 'conflict',
    message: (id: string, parentId: string) =>
      `container ${id} cannot enter the mount namespace of its parent ${parentId}: no process of it is running`,
    hint: () => 'launch the parent again',
  },
});
