import { defineErrors } from '@caisson/plugin-sdk';

const quoted = JSON.stringify;

export const errors = defineErrors({
  VOLUME_OF_PARENT: {
    kind: 'invalid',
    message: (id: string, path: string, why: string) =>
      `container ${id}: the volume of ${quoted(path)} in the sandbox of its parent: ${why}`,
    hint: () => 'name a directory of the sandbox, or a persistent volume in it',
  },
  VOLUME_WITHIN_SANDBOX: {
    kind: 'invalid',
    message: (id: string, path: string, containerPath: string) =>
      `container ${id}: the volume of ${quoted(path)} in its own sandbox cannot be at ${quoted(containerPath)} in that`,
    hint: () => 'give it an absolute container path',
  },
  VOLUME_NEEDS_MOUNTS: {
    kind: 'unsupported',
    message: (id: string, path: string, what: string) =>
      `container ${id}: the volume of ${quoted(path)} can only be a link in the sandbox, not ${what}`,
    hint: () => 'enable filesystem/linux, and the launcher linux',
  },
  VOLUME_PLACE_TAKEN: {
    kind: 'conflict',
    message: (id: string, containerPath: string) =>
      `container ${id}: no volume can be at ${quoted(containerPath)}: something else is there`,
    hint: () => 'give it another name',
  },
  VOLUME_NOT_MADE: {
    kind: 'failed',
    message: (id: string, path: string, why: string) =>
      `container ${id}: the directory ${quoted(path)} of the sandbox cannot be used as a volume: ${why}`,
    hint: () => 'a link is not followed: the container could exchange it for one that leads out',
  },
});
