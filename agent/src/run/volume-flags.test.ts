import { PersistentVolumeSchema, VolumeSchema } from '@caisson/plugin-sdk';
import { describe, expect, it } from '@jest/globals';
import { persistentVolumeOf, tmpfsOf, volumeOf } from './volume-flags.js';

describe('--volume', () => {
  const host = (more: object = {}) => ({ type: 'HOST_PATH', path: '/srv/data', ...more });
  it.each<[text: string, containerPath: string, mode: string, source: object]>([
    ['/srv/data:/data', '/data', 'RW', host()],
    ['/srv/data:data:ro', 'data', 'RO', host()],
    ['/srv/data:/data:rw,rslave', '/data', 'RW', host({ mountPropagation: 'host-to-container' })],
    ['/srv/data:/data:rshared', '/data', 'RW', host({ mountPropagation: 'bidirectional' })],
    ['/srv/data:/data:rprivate,ro', '/data', 'RO', host({ mountPropagation: 'private' })],
    ['.private/tmp:/tmp', '/tmp', 'RW', { type: 'SANDBOX_PATH', of: 'SELF', path: '.private/tmp' }],
    ['parent:common:/mnt:ro', '/mnt', 'RO', { type: 'SANDBOX_PATH', of: 'PARENT', path: 'common' }],
    ['parent:/mnt:ro', '/mnt', 'RO', { type: 'SANDBOX_PATH', of: 'SELF', path: 'parent' }],
    ['parent:/mnt', '/mnt', 'RW', { type: 'SANDBOX_PATH', of: 'SELF', path: 'parent' }],
  ])('%s', (text, containerPath, mode, source) => {
    expect(volumeOf(text)).toEqual({ containerPath, mode, source });
    expect(VolumeSchema.safeParse(volumeOf(text)).success).toBe(true);
  });

  it.each([
    '',
    '/srv',
    ':/data',
    '/srv:',
    '/a:/b:/c',
    '/a:/b:ro,rw',
    '/a:/b:ro,ro',
    'a:/b:rslave',
    '/a:/b:ro:x',
  ])('%j is refused with an example', (text) => {
    expect(() => volumeOf(text)).toThrow(
      expect.objectContaining({ code: 'FLAG_INVALID', message: expect.stringContaining('--volume') }),
    );
  });
});

describe('--tmpfs', () => {
  it.each<[text: string, mode: string, source: object]>([
    ['/tmp', 'RW', {}],
    ['/tmp:size=1MB,mode=1777', 'RW', { limitBytes: 2 ** 20, permissions: 0o1777 }],
    ['/tmp:ro', 'RO', {}],
  ])('%s', (text, mode, source) => {
    expect(tmpfsOf(text)).toEqual({ containerPath: '/tmp', mode, source: { type: 'TMPFS', ...source } });
  });

  it.each(['', '/tmp:size=1', '/tmp:mode=9', '/tmp:mode=01777', '/tmp:big', '/tmp::'])(
    '%j is refused',
    (text) => {
      expect(() => tmpfsOf(text)).toThrow(expect.objectContaining({ code: 'FLAG_INVALID' }));
    },
  );
});

describe('--persistent-volume', () => {
  it.each<[text: string, volume: object]>([
    ['db:data:size=64MB', { disk: 64, volume: { containerPath: 'data', mode: 'RW' } }],
    [
      'db:data:size=512KB,ro,shared,role=eng',
      { disk: 0.5, volume: { containerPath: 'data', mode: 'RO' }, role: 'eng', shared: true },
    ],
  ])('%s', (text, volume) => {
    expect(persistentVolumeOf(text)).toEqual({ persistence: { id: 'db' }, ...volume });
    expect(PersistentVolumeSchema.safeParse(persistentVolumeOf(text)).success).toBe(true);
  });

  it.each(['db', 'db:data', 'db:data:ro', 'db:data:size=64', ':data:size=1MB', 'a:b:size=1MB:c'])(
    '%j is refused',
    (text) => {
      expect(() => persistentVolumeOf(text)).toThrow(expect.objectContaining({ code: 'FLAG_INVALID' }));
    },
  );
});
