import { mkdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, ContainerConfig, PersistentVolume, Volume } from '@caisson/plugin-sdk';
import { describeIsolatorContract, StartedIsolator, TemporaryHost } from '@caisson/plugin-sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import plugin from './index.js';

const at = (
  containerPath: string,
  of: 'SELF' | 'PARENT',
  path: string,
  mode: Volume['mode'] = 'RW',
): Volume => ({
  containerPath,
  mode,
  source: { type: 'SANDBOX_PATH', of, path },
});

describeIsolatorContract({ plugin });

let place: TemporaryHost;
beforeEach(() => {
  place = new TemporaryHost();
});
afterEach(() => place.remove());

const LINUX = { launcher: 'linux', isolation: ['filesystem/linux', 'volume/sandbox_path'] };
const POSIX = { launcher: 'posix', isolation: ['filesystem/posix', 'volume/sandbox_path'] };
const start = (environment: typeof LINUX) => {
  const { workDir, runtimeDir } = place;
  return new StartedIsolator({ plugin, environment: { workDir, runtimeDir, ...environment } });
};
const make = (config: Partial<ContainerConfig> = {}, more: Partial<Omit<Container, 'config'>> = {}) =>
  place.container({ ...more, config });
/** A nested container, and what it is nested in. */
const nested = (volumes: Volume[], parent = make()) =>
  make({ volumes }, { id: `${parent.id}.job`, parentId: parent.id, parent });
const mountsOf = async (container: Container) => (await start(LINUX).prepare(container)).data.mounts;
const code = (expected: string) => ({ code: expected });

describe('with filesystem/linux: by mounts', () => {
  test("a directory of the container's own sandbox, made for its user", async () => {
    const user = { uid: 1000, gid: 1001, supplementaryGids: [] };
    const container = make({ rootfs: '/srv/image', volumes: [at('/data', 'SELF', 'a/b')] }, { user });
    const [mount] = await mountsOf(container);
    expect(mount).toEqual({
      type: 'bind',
      source: join(place.workDir, 'containers/web'),
      below: 'sandbox/a/b',
      target: '/data',
      recursive: true,
      flags: ['nosuid', 'nodev'],
      createTarget: 'directory',
    });
    if (process.getuid?.() !== 0) return;
    for (const made of ['a', 'a/b'])
      expect(statSync(join(container.sandbox, made))).toMatchObject({ uid: 1000, gid: 1001 });
  });

  test("of its parent's, absolute or in its own sandbox", async () => {
    const container = nested([at('/usr', 'PARENT', 'common'), at('mine', 'PARENT', 'common', 'RO')]);
    expect(await mountsOf(container)).toMatchObject([
      { target: '/usr', below: 'sandbox/common', flags: ['nosuid', 'nodev'] },
      {
        target: join(container.sandbox, 'mine'),
        createTarget: 'directory',
        flags: ['nosuid', 'nodev', 'ro'],
      },
    ]);
  });

  test('what is there keeps its owner and its kind', async () => {
    const parent = make();
    writeFileSync(join(parent.sandbox, 'file'), '');
    const [mount] = await mountsOf(nested([at('mine', 'PARENT', 'file')], parent));
    expect(mount).toMatchObject({ createTarget: 'file' });
  });

  test('a persistent volume of the parent is where its files are; read-only stays read-only', async () => {
    const volume: PersistentVolume = {
      disk: 1,
      persistence: { id: 'db' },
      volume: { containerPath: 'data', mode: 'RO' },
    };
    const directory = join(place.workDir, 'volumes/roles/*/db');
    mkdirSync(directory, { recursive: true });
    const parent = make({}, { resources: { volumes: [volume] } });
    const mounts = await mountsOf(nested([at('mine', 'PARENT', './data/in')], parent));
    expect(mounts).toMatchObject([{ source: directory, below: 'in', flags: ['nosuid', 'nodev', 'ro'] }]);
  });

  test.each<[what: string, container: () => Container, expected: string]>([
    [
      'its own at a place in its sandbox',
      () => make({ volumes: [at('a', 'SELF', 'b')] }),
      'VOLUME_WITHIN_SANDBOX',
    ],
    [
      "a parent's, without a parent",
      () => make({ volumes: [at('/usr', 'PARENT', 'b')] }),
      'VOLUME_OF_PARENT',
    ],
    [
      'a volume of the parent that only it has',
      () =>
        nested(
          [at('/usr', 'PARENT', 'cache/x')],
          make({ volumes: [{ ...at('cache', 'SELF', 'x'), source: { type: 'TMPFS' } }] }),
        ),
      'VOLUME_OF_PARENT',
    ],
    ['over its sandbox', () => make({ volumes: [at(place.workDir, 'SELF', 'a')] }), 'VOLUME_HIDES_SANDBOX'],
    [
      'where there is nothing',
      () => make({ volumes: [at('/absent', 'SELF', 'a')] }),
      'VOLUME_TARGET_MISSING',
    ],
  ])('%s is refused', async (_what, container, expected) => {
    await expect(mountsOf(container())).rejects.toMatchObject(code(expected));
  });

  test('F1: a link in the sandbox of the parent leads nowhere', async () => {
    const parent = make();
    symlinkSync('/etc', join(parent.sandbox, 'out'));
    for (const path of ['out', 'out/x'])
      await expect(mountsOf(nested([at('mine', 'PARENT', path)], parent))).rejects.toMatchObject(
        code('VOLUME_NOT_MADE'),
      );
  });
});

describe('without: by links', () => {
  const prepare = (container: Container) => start(POSIX).prepare(container);

  test("to a directory of the parent's sandbox", async () => {
    const parent = make();
    const container = nested([at('./mine/', 'PARENT', 'common/in')], parent);
    expect((await prepare(container)).data.mounts).toEqual([]);
    expect(readlinkSync(join(container.sandbox, 'mine'))).toBe(join(parent.sandbox, 'common/in'));
    expect(statSync(join(parent.sandbox, 'common/in')).mode & 0o7777).toBe(0o755);
  });

  test.each<[what: string, volume: Volume]>([
    ['an absolute path', at('/usr', 'PARENT', 'x')],
    ['a path in the sandbox', at('a/b', 'PARENT', 'x')],
    ['read-only', at('mine', 'PARENT', 'x', 'RO')],
  ])('%s is refused', async (_what, volume) => {
    await expect(prepare(nested([volume]))).rejects.toMatchObject(code('VOLUME_NEEDS_MOUNTS'));
  });

  test('what is there already stays', async () => {
    const container = nested([at('mine', 'PARENT', 'x')]);
    writeFileSync(join(container.sandbox, 'mine'), '');
    await expect(prepare(container)).rejects.toMatchObject(code('VOLUME_PLACE_TAKEN'));
  });

  test('F1: a link in the sandbox of the parent leads nowhere', async () => {
    const parent = make();
    symlinkSync('/etc', join(parent.sandbox, 'out'));
    await expect(prepare(nested([at('mine', 'PARENT', 'out/x')], parent))).rejects.toMatchObject(
      code('VOLUME_NOT_MADE'),
    );
  });
});

test('comes after the filesystem isolator, and leaves filesystem/shared its own', () => {
  expect(plugin.isolators?.[0]?.requires).toMatchObject({
    after: ['filesystem/linux', 'filesystem/posix'],
    conflicts: ['filesystem/shared'],
  });
});
