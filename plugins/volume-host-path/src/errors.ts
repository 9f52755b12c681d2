import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  VOLUME_SOURCE_MISSING: {
    kind: 'invalid',
    message: (id: string, path: string, why: string) =>
      `container ${id}: the host has nothing at ${JSON.stringify(path)} for a volume (${why})`,
    hint: () =>
      'make it, or have the operator add a directory above it to `forceCreation` of volume/host_path',
  },
  VOLUME_SOURCE_REFUSED: {
    kind: 'denied',
    message: (id: string, path: string, why: string) =>
      `container ${id}: ${JSON.stringify(path)} is not made for a volume: ${why}`,
    hint: () => 'a link lies on the way: name the place where it leads to',
  },
  VOLUME_NOT_SHARED: {
    kind: 'invalid',
    message: (id: string, path: string, mountPoint: string) =>
      `container ${id}: mounts cannot go both ways at ${JSON.stringify(path)}: the mount at ${mountPoint} is not shared`,
    hint: (_id: string, _path: string, mountPoint: string) => `mount --make-shared ${mountPoint}`,
  },
});
