import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Container, ContainerConfig, Volume } from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer, StartedIsolator } from '@caisson/plugin-sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import plugin from './index.js';

const at = (containerPath: string, path: string, more: Partial<Volume> = {}): Volume => ({
  containerPath,
  mode: 'RW',
  source: { type: 'HOST_PATH', path },
  ...more,
});

describeIsolatorContract({ plugin });
describe('with a volume', () => {
  describeIsolatorContract({ plugin, container: () => ({ config: { volumes: [at('/usr/lib', '/usr')] } }) });
});

let directory = '';
const dir = (name: string) => join(directory, name);
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-host-path-')));
  mkdirSync(dir('data'));
  writeFileSync(dir('file'), '');
});
afterEach(() => rmSync(directory, { recursive: true }));

const start = (options: object = {}, before?: StartedIsolator) =>
  new StartedIsolator({ plugin, options }, before?.checkpoints);
const container = (volumes: Volume[], config: Partial<ContainerConfig> = {}, more: Partial<Container> = {}) =>
  fakeContainer({ ...more, config: { rootfs: '/srv/image', ...config, volumes } });
const mountsFor = async (volumes: Volume[], config: Partial<ContainerConfig> = {}) =>
  (await start().prepare(container(volumes, config))).data.mounts;
const hostTree = { rootfs: undefined as never };

describe('the plan', () => {
  test('a directory on a directory, a file on a file, made in a root filesystem', async () => {
    const mounts = await mountsFor([at('/srv/data', dir('data')), at('/etc/file', dir('file'))]);
    expect(mounts).toEqual([
      {
        type: 'bind',
        source: dir('data'),
        target: '/srv/data',
        recursive: true,
        flags: ['nosuid', 'nodev'],
        createTarget: 'directory',
      },
      expect.objectContaining({ source: dir('file'), createTarget: 'file' }),
    ]);
  });

  test('without a root filesystem nothing is made on the host', async () => {
    const [mount] = await mountsFor([at(dir('data'), '/usr')], hostTree);
    expect(mount).not.toHaveProperty('createTarget');
    await expect(mountsFor([at(dir('absent'), '/usr')], hostTree)).rejects.toMatchObject({
      code: 'VOLUME_TARGET_MISSING',
    });
  });

  test('a relative path is in the sandbox; outer ones first', async () => {
    const mounts = await mountsFor([at('data/in', dir('data')), at('data', '/usr')], hostTree);
    const sandbox = '/var/lib/caisson/containers/web/sandbox';
    expect(mounts.map(({ target }) => target)).toEqual([`${sandbox}/data`, `${sandbox}/data/in`]);
  });

  test('read-only is private, unless it says otherwise', async () => {
    const source = { type: 'HOST_PATH', path: dir('data'), mountPropagation: 'host-to-container' } as const;
    const mounts = await mountsFor([
      at('/a', dir('data'), { mode: 'RO' }),
      at('/b', '', { mode: 'RO', source }),
    ]);
    expect(mounts).toMatchObject([
      { flags: ['nosuid', 'nodev', 'ro'], propagation: 'private' },
      { propagation: 'host-to-container' },
    ]);
  });

  test('a source that is not there is refused', async () => {
    await expect(mountsFor([at('/a', dir('absent'))])).rejects.toMatchObject({
      code: 'VOLUME_SOURCE_MISSING',
      message: expect.stringContaining('ENOENT'),
    });
  });
});

describe('forceCreation', () => {
  const options = () => ({ forceCreation: [dir('allowed'), '/srv/../srv/allowed/'] });
  const volume = () => [at('/a', dir('allowed/x/y'))];

  test('makes what is missing, beneath what the operator allowed; what is empty goes with the container', async () => {
    const isolator = start(options());
    mkdirSync(dir('allowed'));
    const web = container(volume());
    const plan = await isolator.prepare(web);
    expect(plan.data.mounts).toMatchObject([
      { source: dir('allowed'), below: 'x/y', createTarget: 'directory' },
    ]);
    expect(existsSync(dir('allowed/x/y'))).toBe(true);
    await start(options(), isolator).call('cleanup', web); // by the next agent
    expect([existsSync(dir('allowed/x')), existsSync(dir('allowed'))]).toEqual([false, true]);
  });

  test('what is not empty stays', async () => {
    const isolator = start(options());
    const web = container(volume());
    await isolator.prepare(web);
    writeFileSync(dir('allowed/x/y/kept'), '');
    await isolator.call('cleanup', web);
    expect(existsSync(dir('allowed/x/y/kept'))).toBe(true);
  });

  test('what another container has as its volume stays', async () => {
    const isolator = start(options());
    const [web, other] = [container(volume()), container(volume(), {}, { id: 'other' })];
    await isolator.prepare(web);
    await start(options()).prepare(other);
    await isolator.call('cleanup', web);
    expect(existsSync(dir('allowed/x/y'))).toBe(true);
    await start(options()).call('cleanup', other);
  });

  test('not elsewhere, nor where only the name begins alike', async () => {
    for (const path of [dir('other/x'), dir('allowed2/x'), dir('allowed/../other/x')])
      await expect(start(options()).prepare(container([at('/a', path)]))).rejects.toMatchObject({
        code: 'VOLUME_SOURCE_MISSING',
      });
  });

  test('F1: a link that a container has put on the way leads nowhere', async () => {
    mkdirSync(dir('allowed'));
    symlinkSync(dir('data'), dir('allowed/x'));
    await expect(start(options()).prepare(container(volume()))).rejects.toMatchObject({
      code: 'VOLUME_SOURCE_REFUSED',
      message: expect.stringMatching(/ELOOP|ENOTDIR/),
    });
    expect(existsSync(dir('data/y'))).toBe(false);
  });

  test('is a list, or text of Mesos, and normalised', () => {
    const schema = plugin.isolators?.[0]?.options;
    expect(schema?.parse({ forceCreation: '/a:/b/' })).toEqual({ forceCreation: ['/a', '/b'] });
    expect(schema?.parse({})).toEqual({ forceCreation: [] });
    expect(schema?.safeParse({ forceCreation: 'a' }).success).toBe(false);
  });
});
