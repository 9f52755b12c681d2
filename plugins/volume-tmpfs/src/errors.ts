import { defineErrors, formatBytes } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  VOLUME_TOO_LARGE: {
    kind: 'denied',
    message: (id: string, path: string, bytes: number, maximum: number) =>
      `container ${id}: the tmpfs at ${JSON.stringify(path)} shall hold ${formatBytes(bytes)}, and ${formatBytes(maximum)} are allowed`,
    hint: () => 'ask for less, or have the operator raise `maximum` of volume/tmpfs',
  },
});
