import { mkdirSync, mkdtempSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, ContainerConfig, Volume } from '@caisson/plugin-sdk';
import { describeIsolatorContract, StartedIsolator, TemporaryHost } from '@caisson/plugin-sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import plugin from './index.js';

const host = (path: string): Volume['source'] => ({ type: 'HOST_PATH', path });
const own = (path: string): Volume['source'] => ({ type: 'SANDBOX_PATH', of: 'SELF', path });
const at = (containerPath: string, source: Volume['source'], mode: Volume['mode'] = 'RW'): Volume => ({
  containerPath,
  source,
  mode,
});

describeIsolatorContract({ plugin });
// Directories that every Linux has; nothing is made in them.
describe('with a volume', () => {
  describeIsolatorContract({
    plugin,
    container: () => ({ config: { volumes: [at('/usr/lib', host('/usr'))] } }),
  });
});

let place: TemporaryHost;
let directory: string;
let isolator: StartedIsolator;

beforeEach(() => {
  place = new TemporaryHost();
  directory = mkdtempSync(join(place.directory, 'host-'));
  for (const name of ['tmp', 'tmpfoo', 'srv', 'srv/deep']) mkdirSync(join(directory, name));
  const { workDir, runtimeDir } = place;
  isolator = new StartedIsolator({ plugin, environment: { workDir, runtimeDir } });
});
afterEach(() => place.remove());

const dir = (name: string) => join(directory, name);
const make = (config: Partial<ContainerConfig>, more: Partial<Omit<Container, 'config'>> = {}) =>
  place.container({ ...more, config });
const mountsFor = async (volumes: Volume[], more: Partial<Omit<Container, 'config'>> = {}) => {
  const plan = await isolator.prepare(make({ volumes }, more));
  return plan.data.mounts.map(({ target, ...mount }) => [target, mount]);
};

describe('the plan', () => {
  test('without volumes: the host as it is, no namespace', async () => {
    const container = make({});
    const { data } = await isolator.prepare(container);
    expect(data).toMatchObject({
      namespaces: { create: [], enter: [] },
      mounts: [],
      workingDirectory: container.sandbox,
      environment: { MESOS_SANDBOX: container.sandbox },
    });
  });

  test('a directory of the host in place of another one', async () => {
    const { data } = await isolator.prepare(make({ volumes: [at(dir('tmp'), host(dir('srv')))] }));
    expect(data.namespaces.create).toEqual(['mount']);
    expect(data.mounts).toEqual([
      { type: 'bind', source: dir('srv'), target: dir('tmp'), recursive: true, flags: ['nosuid', 'nodev'] },
    ]);
  });

  test('read-only: nothing that is mounted later comes in without it', async () => {
    const [[, mount] = []] = await mountsFor([at(dir('tmp'), host(dir('srv')), 'RO')]);
    expect(mount).toMatchObject({ flags: ['nosuid', 'nodev', 'ro'], propagation: 'private' });
  });

  test('a directory of the sandbox, opened beneath what only root can change (F1)', async () => {
    const [[, mount] = []] = await mountsFor([at(dir('tmp'), own('.private/tmp'))]);
    expect(mount).toMatchObject({
      source: join(place.workDir, 'containers/web'),
      below: 'sandbox/.private/tmp',
    });
  });

  test('outer ones first, whatever their order; names are compared by component', async () => {
    const volumes = [
      at(dir('srv/deep'), host(dir('tmp'))),
      at(dir('tmpfoo'), host(dir('tmp'))),
      at(dir('srv'), host(dir('tmp'))),
      at(dir('tmp'), host(dir('srv'))),
    ];
    const targets = (await mountsFor(volumes)).map(([target]) => target);
    expect(targets.indexOf(dir('srv'))).toBeLessThan(targets.indexOf(dir('srv/deep')));
    expect(new Set(targets)).toEqual(new Set(volumes.map(({ containerPath }) => containerPath)));
  });

  test('a link of the host leads where it leads every program', async () => {
    symlinkSync(dir('tmp'), dir('link'));
    expect((await mountsFor([at(dir('link'), host(dir('srv')))])).map(([target]) => target)).toEqual([
      dir('tmp'),
    ]);
  });
});

describe('a directory in the sandbox', () => {
  test('has the mode and the owner of what it stands for', async () => {
    const container = make({ volumes: [at('/usr', own('.private/usr'))] });
    await isolator.prepare(container);
    const { mode, uid, gid } = statSync('/usr');
    expect(statSync(join(container.sandbox, '.private/usr'))).toMatchObject({ mode, uid, gid });
  });

  test('that is there already stays as it is', async () => {
    const container = make({ volumes: [at('/usr', own('mine'))] });
    mkdirSync(join(container.sandbox, 'mine'), { mode: 0o700 });
    await isolator.prepare(container);
    expect(statSync(join(container.sandbox, 'mine')).mode & 0o777).toBe(0o700);
  });

  test('F1: a link on the way is not followed', async () => {
    const container = make({ volumes: [at(dir('tmp'), own('out/here'))] });
    symlinkSync(dir('srv'), join(container.sandbox, 'out'));
    await expect(isolator.prepare(container)).rejects.toMatchObject({
      code: 'VOLUME_SOURCE_INVALID',
      message: expect.stringMatching(/ELOOP|ENOTDIR/),
    });
    expect(() => statSync(dir('srv/here'))).toThrow('ENOENT');
  });
});

describe('is refused', () => {
  const refusal = async (volumes: Volume[]) =>
    expect(mountsFor(volumes)).rejects.toMatchObject({ code: expect.any(String) });

  test.each<[what: string, volumes: () => Volume[], code: string]>([
    ['a target that does not exist', () => [at(dir('nothing'), host(dir('srv')))], 'VOLUME_TARGET_INVALID'],
    ['a relative target', () => [at('tmp', host(dir('srv')))], 'VOLUME_TARGET_INVALID'],
    ['a target above the sandbox', () => [at(place.workDir, host(dir('srv')))], 'VOLUME_HIDES_SANDBOX'],
    ['a source that does not exist', () => [at(dir('tmp'), host(dir('nothing')))], 'VOLUME_SOURCE_INVALID'],
    ['a directory in place of a file', () => [at('/proc/self/status', own('x'))], 'VOLUME_SOURCE_INVALID'],
    [
      "a parent's sandbox, of one without a parent",
      () => [at(dir('tmp'), { type: 'SANDBOX_PATH', of: 'PARENT', path: 'x' })],
      'VOLUME_SOURCE_INVALID',
    ],
    [
      'two at one place, by a link',
      () => {
        symlinkSync(dir('tmp'), dir('link'));
        return [at(dir('link'), host(dir('srv'))), at(dir('tmp'), host(dir('srv')))];
      },
      'VOLUMES_COLLIDE',
    ],
  ])('%s', async (_what, volumes, code) => {
    const given = volumes();
    await refusal(given);
    await expect(mountsFor(given)).rejects.toMatchObject({ code });
  });

  test('a root filesystem', async () => {
    await expect(isolator.prepare(make({ rootfs: '/usr' }))).rejects.toMatchObject({
      code: 'ROOTFS_UNSUPPORTED',
      hint: expect.stringContaining('filesystem/linux'),
    });
  });
});

describe('nested', () => {
  const volumes = () => [at(dir('tmp'), own('.private/tmp'))];
  const nestedIn = (parent: Container, more: Partial<Omit<Container, 'config'>> = {}) => ({
    id: `${parent.id}.job`,
    parentId: parent.id,
    parent,
    parentPid: process.pid,
    ...more,
  });
  const ENTERED = [{ kind: 'mount', pid: process.pid }];

  test('sees what its parent sees, and its own volumes on that', async () => {
    const parent = make({ volumes: volumes() });
    const { data } = await isolator.prepare(make({}, nestedIn(parent)));
    expect(data).toMatchObject({ namespaces: { create: ['mount'], enter: ENTERED }, mounts: [] });
    expect(await mountsFor(volumes(), nestedIn(parent))).toEqual([
      [dir('tmp'), expect.objectContaining({ below: 'sandbox/containers/job/.private/tmp' })],
    ]);
  });

  test('also when it is not the parent itself that has the volume', async () => {
    const outer = make({ volumes: volumes() });
    const parent = make({}, nestedIn(outer));
    const { data } = await isolator.prepare(make({}, nestedIn(parent)));
    expect(data.namespaces.enter).toEqual(ENTERED);
  });

  test('in a parent that sees the host: a namespace only for volumes of its own', async () => {
    const parent = make({});
    const without = await isolator.prepare(make({}, nestedIn(parent)));
    expect(without.data.namespaces).toEqual({ create: [], enter: [] });
    const having = await isolator.prepare(make({ volumes: volumes() }, nestedIn(parent)));
    expect(having.data.namespaces).toEqual({ create: ['mount'], enter: [] });
  });

  test("shares a directory of its parent's sandbox", async () => {
    const source: Volume['source'] = { type: 'SANDBOX_PATH', of: 'PARENT', path: 'shared' };
    expect(await mountsFor([at(dir('tmp'), source)], nestedIn(make({})))).toEqual([
      [dir('tmp'), expect.objectContaining({ below: 'sandbox/shared' })],
    ]);
  });

  test('DEBUG: in the mount namespace of its parent, where that has one', async () => {
    const parent = make({ volumes: volumes() });
    const debug = { class: 'DEBUG' as const };
    const { data } = await isolator.prepare(make({}, nestedIn(parent, debug)));
    expect(data.namespaces).toEqual({ create: [], enter: ENTERED });
    const other = await isolator.prepare(make({}, nestedIn(make({}), debug)));
    expect(other.data.namespaces.enter).toEqual([]);
    const gone = isolator.prepare(make({}, nestedIn(parent, { ...debug, parentPid: undefined })));
    await expect(gone).rejects.toMatchObject({ code: 'PARENT_NOT_RUNNING' });
  });
});
