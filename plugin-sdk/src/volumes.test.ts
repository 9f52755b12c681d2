import { describe, expect, test } from '@jest/globals';
import { VolumeSchema, VolumesSchema } from './volumes.js';

const host = { type: 'HOST_PATH', path: '/srv' };
const volume = { containerPath: '/data', mode: 'RW', source: host };

describe('a volume', () => {
  test.each([
    volume,
    { ...volume, containerPath: 'data/here', mode: 'RO' },
    { ...volume, containerPath: '/a/..b' },
    { ...volume, source: { type: 'SANDBOX_PATH', of: 'PARENT', path: 'a/b' } },
    { ...volume, source: { type: 'TMPFS', limitBytes: 4096, permissions: 0o1777 } },
    { ...volume, source: { ...host, mountPropagation: 'bidirectional' } },
  ])('%j', (given) => expect(VolumeSchema.parse(given)).toEqual(given));

  test.each([
    [{ ...volume, containerPath: '/a/../../etc' }, 'no ".."'],
    [{ ...volume, containerPath: '..' }, 'no ".."'],
    [{ ...volume, containerPath: '//.' }, 'or everything'],
    [{ ...volume, containerPath: '' }, ''],
    [{ ...volume, containerPath: 'a\0' }, 'NUL'],
    [{ ...volume, source: { ...host, path: 'srv' } }, 'absolute'],
    [{ ...volume, source: { type: 'SANDBOX_PATH', of: 'SELF', path: '/etc' } }, 'relative'],
    [{ ...volume, source: { type: 'SANDBOX_PATH', of: 'SELF', path: 'a/../..' } }, 'no ".."'],
    [{ ...volume, source: { type: 'TMPFS', limitBytes: 0 } }, '0'],
    [{ containerPath: '/data', source: host }, 'mode'],
    [{ ...volume, image: {} }, 'image'],
  ])('F1: %j is refused', (given, expected) => {
    const result = VolumeSchema.safeParse(given);
    expect(result.success).toBe(false);
    expect(JSON.stringify(result.error?.issues)).toContain(expected.replaceAll('"', '\\"'));
  });
});

test('two volumes at one place are refused', () => {
  const at = (containerPath: string) => ({ ...volume, containerPath });
  expect(VolumesSchema.safeParse([at('/a/b'), at('/a//b/')]).error?.message).toContain('two volumes');
  expect(VolumesSchema.safeParse([at('/a'), at('a'), at('/a/b')]).success).toBe(true);
});
