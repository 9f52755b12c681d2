import { describe, expect, test } from '@jest/globals';
import { ContainerConfigSchema } from './container-config.js';
import { PersistentVolumeSchema, persistentVolumePath } from './persistent-volume.js';

const volume = {
  disk: 4,
  persistence: { id: 'db', principal: 'ops' },
  volume: { containerPath: 'path1', mode: 'RW' },
} as const;

describe('a persistent volume', () => {
  test('is a resource of a container, and goes through JSON as it is', () => {
    const config = {
      argv: ['true'],
      resources: {
        disk: 3,
        volumes: [
          volume,
          {
            ...volume,
            volume: { containerPath: '/data', mode: 'RO' },
            source: { type: 'PATH', root: 'disk1' },
            role: 'a/b',
            shared: true,
          },
        ],
      },
    };
    expect(ContainerConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(ContainerConfigSchema.safeParse({ argv: ['true'], limits: { volumes: [] } }).success).toBe(false);
  });

  test.each([
    [{ persistence: { id: '..' } }, /name of a directory/],
    [{ persistence: { id: 'a/b' } }, /name of a directory/],
    [{ persistence: { id: 'a\0' } }, /name of a directory/],
    [{ persistence: { id: '' } }, /name of a directory/],
    [{ role: '..' }, /a role/],
    [{ role: 'a b' }, /a role/],
    [{ role: '-a' }, /a role/],
    [{ volume: { containerPath: 'a/../../b', mode: 'RW' } }, /a path in a container has no/],
    [{ volume: { containerPath: 'a\0', mode: 'RW' } }, /NUL/],
    [{ volume: { containerPath: './', mode: 'RW' } }, /the sandbox itself/],
    [{ volume: { containerPath: 'a' } }, /mode/],
    [{ source: { type: 'RAW', root: '/dev/sda' } }, /type/],
    [{ disk: -1 }, /disk/],
  ])('K4: %j is refused', (more, problem) => {
    expect(PersistentVolumeSchema.safeParse({ ...volume, ...more }).error?.message).toMatch(problem);
  });

  test('has a place of its own in the container', () => {
    const at = (containerPath: string) => ({ ...volume, volume: { containerPath, mode: 'RW' } });
    const problem = (...paths: string[]) =>
      ContainerConfigSchema.safeParse({ argv: ['true'], resources: { volumes: paths.map(at) } }).error
        ?.message;
    expect(problem('a', './a/')).toMatch(/two volumes/);
    expect(problem('a', '/a', 'a/b')).toBeUndefined();
  });

  test.each([
    [{}, '/work/volumes/roles/*/db'],
    [{ role: 'ads/web' }, '/work/volumes/roles/ads web/db'],
    [{ source: { type: 'PATH', root: '/mnt/disk1' } }, '/mnt/disk1/volumes/roles/*/db'],
    [{ source: { type: 'PATH', root: 'disk1' } }, '/work/disk1/volumes/roles/*/db'],
    [{ source: { type: 'MOUNT', root: '/mnt/disk2' } }, '/mnt/disk2'],
  ] as const)('%j is on the host at %s', (more, path) => {
    expect(persistentVolumePath('/work', { ...volume, ...more })).toBe(path);
  });
});
