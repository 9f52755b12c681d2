import { describe, expect, test } from '@jest/globals';
import { volumeOf, type WireVolume, WireVolumeSchema } from './container-volumes.js';

const at = { mode: 'RW', container_path: '/data' } as const;
const read = (volume: object) => volumeOf(WireVolumeSchema.parse({ ...at, ...volume }));

describe('a volume of the operator API', () => {
  test.each<[what: string, wire: object, source: object]>([
    ['host_path', { host_path: '/srv' }, { type: 'HOST_PATH', path: '/srv' }],
    [
      'relative host_path: the sandbox',
      { host_path: '.private/tmp' },
      { type: 'SANDBOX_PATH', of: 'SELF', path: '.private/tmp' },
    ],
    [
      'HOST_PATH',
      {
        source: {
          type: 'HOST_PATH',
          host_path: { path: '/srv', mount_propagation: { mode: 'BIDIRECTIONAL' } },
        },
      },
      { type: 'HOST_PATH', path: '/srv', mountPropagation: 'bidirectional' },
    ],
    [
      'SANDBOX_PATH',
      { source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'shared' } } },
      { type: 'SANDBOX_PATH', of: 'PARENT', path: 'shared' },
    ],
    ['TMPFS', { source: { type: 'TMPFS' } }, { type: 'TMPFS' }],
    [
      'TMPFS with a limit',
      { source: { type: 'TMPFS', tmpfs: { limit: { bytes: 4096 }, mode: 0o1777 } } },
      { type: 'TMPFS', limitBytes: 4096, permissions: 0o1777 },
    ],
  ])('%s', (_what, wire, source) =>
    expect(read(wire)).toEqual({ mode: 'RW', containerPath: '/data', source }),
  );

  test.each<[what: string, wire: object, code: string, message: string]>([
    ['nothing', {}, 'CALL_INVALID', 'one of host_path, image and source'],
    ['two', { host_path: '/a', source: { type: 'TMPFS' } }, 'CALL_INVALID', 'one of'],
    ['an image', { image: {} }, 'UNSUPPORTED_FIELD', 'image'],
    ['a secret', { source: { type: 'SECRET' } }, 'UNSUPPORTED_FIELD', 'SECRET'],
    ['no path', { source: { type: 'HOST_PATH' } }, 'CALL_INVALID', 'source.host_path'],
    ['no sandbox path', { source: { type: 'SANDBOX_PATH' } }, 'CALL_INVALID', 'source.sandbox_path'],
  ])('%s is refused', (_what, wire, code, message) => {
    expect(() => read(wire)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test('needs mode and container_path, and a kind that there is', () => {
    const refused = (volume: object) => expect(WireVolumeSchema.safeParse(volume).success).toBe(false);
    refused({ ...at, mode: undefined, host_path: '/a' });
    refused({ mode: 'RW', host_path: '/a' } satisfies Partial<WireVolume>);
    refused({ ...at, source: { type: 'NFS' } });
  });
});
