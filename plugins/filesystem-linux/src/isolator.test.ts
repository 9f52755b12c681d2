import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Container,
  type ContainerConfig,
  createHooks,
  type HostEnvironment,
  LaunchPlan,
  type LaunchPlanData,
  z,
} from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer } from '@caisson/plugin-sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import plugin from './index.js';
import { FilesystemLinuxIsolator } from './isolator.js';
import { MASKED_PATHS, READ_ONLY_PATHS } from './kernel-paths.js';
import { FilesystemLinuxOptions } from './options.js';

const SANDBOX = '/var/lib/caisson/containers/web/sandbox';
let directory = '';
let rootfs = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-filesystem-linux-')); // 0700: others can't reach the rootfs
  rootfs = join(directory, 'rootfs');
  mkdirSync(rootfs);
});
afterEach(() => rmSync(directory, { recursive: true }));

const container = (config: Partial<ContainerConfig> = {}, more: Partial<Omit<Container, 'config'>> = {}) =>
  fakeContainer({ ...more, config });

describeIsolatorContract({ plugin });
// A directory that every Linux has; nothing is made in it.
describe('with a root filesystem', () => {
  describeIsolatorContract({ plugin, container: () => ({ config: { rootfs: '/usr' } }) });
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const HOST: HostEnvironment = {
  workDir: '/var/lib/caisson',
  runtimeDir: '/run/caisson',
  isolation: ['filesystem/linux', 'namespaces/pid'],
  launcher: 'linux',
};

interface Setting {
  options?: z.input<typeof FilesystemLinuxOptions>;
  host?: Partial<HostEnvironment>;
  start?: Partial<LaunchPlanData>;
}

async function planFor(of: Container, { options = {}, host = {}, start = {} }: Setting = {}) {
  const hooks = createHooks();
  const isolator = new FilesystemLinuxIsolator(
    FilesystemLinuxOptions.parse(options),
    { ...HOST, ...host },
    silent,
  );
  isolator.apply(hooks);
  const plan = new LaunchPlan({ argv: ['true'], ...start });
  await hooks.prepare.promise(of, plan);
  return plan.data;
}

const untouched = new LaunchPlan({ argv: ['true'] }).data;
const OWN_MOUNTS = { create: ['mount'], enter: [] };

describe('without a root filesystem', () => {
  test('the tree of the host in a mount namespace of its own, kernel paths masked or read-only', async () => {
    expect(await planFor(container())).toEqual({
      ...untouched,
      namespaces: OWN_MOUNTS,
      environment: { MESOS_SANDBOX: SANDBOX },
      workingDirectory: SANDBOX,
      maskedPaths: [...MASKED_PATHS],
      readOnlyPaths: [...READ_ONLY_PATHS, '/sys'],
    });
  });

  test('privileged: nothing masked, nothing read-only', async () => {
    const plan = await planFor(container({ privileged: true }), { start: { privileged: true } });
    expect(plan).toMatchObject({ namespaces: OWN_MOUNTS, maskedPaths: [], readOnlyPaths: [], mounts: [] });
  });
});

describe('with a root filesystem', () => {
  const kernel = ['nosuid', 'noexec', 'nodev'];
  /** The list of the reference, section filesystem/linux, but for what the comments in system-mounts.ts and devices.ts say. */
  const MOUNTS = [
    {
      type: 'bind',
      source: SANDBOX,
      target: '/mnt/mesos/sandbox',
      recursive: true,
      flags: ['nosuid', 'nodev'],
      createTarget: 'directory',
    },
    { type: 'proc', target: '/proc', flags: kernel, createTarget: 'directory' },
    { type: 'sysfs', target: '/sys', flags: ['ro', ...kernel], createTarget: 'directory' },
    { type: 'tmpfs', target: '/sys/fs/cgroup', flags: kernel, options: { mode: '755' }, optional: true },
    {
      type: 'tmpfs',
      target: '/dev',
      flags: ['nosuid', 'noexec', 'strictatime'],
      options: { mode: '755' },
      createTarget: 'directory',
    },
    {
      type: 'devpts',
      target: '/dev/pts',
      flags: ['nosuid', 'noexec'],
      options: { newinstance: true, ptmxmode: '0666', mode: '0620', gid: '5' },
      createTarget: 'directory',
    },
    {
      type: 'tmpfs',
      target: '/dev/shm',
      flags: ['nosuid', 'nodev', 'strictatime'],
      options: { mode: '1777' },
      createTarget: 'directory',
    },
  ];
  const DEVICES = [
    ['full', 1, 7],
    ['null', 1, 3],
    ['random', 1, 8],
    ['tty', 5, 0],
    ['urandom', 1, 9],
    ['zero', 1, 5],
  ] as const;
  const LINKS = [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
    ['ptmx', 'pts/ptmx'],
  ] as const;

  test('the whole plan', async () => {
    expect(await planFor(container({ rootfs }))).toEqual({
      ...untouched,
      namespaces: OWN_MOUNTS,
      rootfs,
      environment: { MESOS_SANDBOX: '/mnt/mesos/sandbox' },
      workingDirectory: '/',
      mounts: MOUNTS,
      fileOperations: [
        ...DEVICES.map(([name, major, minor]) => ({
          kind: 'mknod',
          path: `/dev/${name}`,
          mode: 0o666,
          type: 'character',
          major,
          minor,
        })),
        ...LINKS.map(([name, to]) => ({ kind: 'symlink', path: `/dev/${name}`, to })),
      ],
      maskedPaths: [...MASKED_PATHS],
      readOnlyPaths: [...READ_ONLY_PATHS],
    });
  });

  test('the plan serialises as it is', async () => {
    const plan = await planFor(container({ rootfs }));
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test('privileged: the same mounts, nothing masked, nothing read-only', async () => {
    const plan = await planFor(container({ rootfs, privileged: true }), { start: { privileged: true } });
    expect(plan).toMatchObject({ mounts: MOUNTS, maskedPaths: [], readOnlyPaths: [] });
  });

  test('shared memory is left to namespaces/ipc where that is enabled', async () => {
    const host = { isolation: [...HOST.isolation, 'namespaces/ipc'] };
    const targets = (await planFor(container({ rootfs }), { host })).mounts.map(({ target }) => target);
    expect(targets).not.toContain('/dev/shm');
    expect(targets).toContain('/dev/pts');
  });

  test('the sandbox where the operator wants it', async () => {
    const plan = await planFor(container({ rootfs }), { options: { sandboxDirectory: '/sandbox' } });
    expect(plan.mounts[0]?.target).toBe('/sandbox');
    expect(plan.environment).toEqual({ MESOS_SANDBOX: '/sandbox' });
  });

  test('a working directory of the configuration stays', async () => {
    const start = { workingDirectory: '/srv' };
    expect((await planFor(container({ rootfs }), { start })).workingDirectory).toBe('/srv');
  });

  test('a link to it is resolved before the launch', async () => {
    symlinkSync('rootfs', join(directory, 'link'));
    expect((await planFor(container({ rootfs: join(directory, 'link') }))).rootfs).toBe(rootfs);
  });

  test('two of them are refused', async () => {
    await expect(planFor(container({ rootfs }), { start: { rootfs: '/other' } })).rejects.toMatchObject({
      code: 'PLAN_CONFLICT',
    });
  });
});

describe('a root filesystem that is refused', () => {
  const refusal = (path: string, setting?: Setting) => planFor(container({ rootfs: path }), setting);
  const invalid = (why: string) => ({
    code: 'ROOTFS_INVALID',
    kind: 'invalid',
    message: expect.stringContaining(why),
  });

  test('missing', async () => {
    await expect(refusal(`${rootfs}/absent`)).rejects.toMatchObject(invalid('it does not exist'));
  });

  test('a file, or something below one', async () => {
    writeFileSync(join(directory, 'file'), '');
    await expect(refusal(join(directory, 'file'))).rejects.toMatchObject(invalid('it is not a directory'));
    await expect(refusal(join(directory, 'file/x'))).rejects.toMatchObject(invalid('is not a directory'));
  });

  test('a relative path', async () => {
    await expect(refusal('rootfs')).rejects.toMatchObject(invalid('it must be an absolute path'));
  });

  test('a circle of links', async () => {
    symlinkSync('loop', join(directory, 'loop'));
    await expect(refusal(join(directory, 'loop'))).rejects.toMatchObject(invalid('lead in a circle'));
  });

  test('the one of the host', async () => {
    await expect(refusal('/')).rejects.toMatchObject(invalid('that of the host'));
    await expect(refusal('/usr/..')).rejects.toMatchObject(invalid('that of the host'));
  });

  test('one that holds the state of other containers, under any name', async () => {
    mkdirSync(join(rootfs, 'work'));
    symlinkSync(join(rootfs, 'work'), join(directory, 'work'));
    for (const host of [
      { workDir: join(directory, 'work') },
      { runtimeDir: join(rootfs, 'work') },
      { workDir: rootfs },
    ])
      await expect(refusal(rootfs, { host })).rejects.toMatchObject({
        code: 'ROOTFS_HOLDS_STATE',
        kind: 'denied',
      });
  });

  test('but not one whose name is only longer', async () => {
    await expect(refusal(rootfs, { host: { workDir: `${rootfs}-work` } })).resolves.toBeDefined();
  });
});

describe('a nested container', () => {
  const nested = { id: 'web.job', parentId: 'web', parentPid: 4321, sandbox: SANDBOX };
  const debug = { ...nested, class: 'DEBUG' } as const;

  test('DEFAULT with a root filesystem: as at the top level, but for the way to its sandbox (F8)', async () => {
    const { mounts, ...plan } = await planFor(container({ rootfs }, nested));
    const { mounts: atTop, ...top } = await planFor(container({ rootfs }));
    expect(plan).toEqual(top);
    expect(mounts.slice(1)).toEqual(atTop.slice(1));
    expect(mounts[0]).toEqual({ ...atTop[0], source: '/var/lib/caisson/containers/web', below: 'sandbox' });
  });

  const entered = { create: ['mount'], enter: [{ kind: 'mount', pid: 4321 }] };

  test('DEFAULT without one: the tree of the host as its parent sees it', async () => {
    for (const parent of [undefined, container({}, { id: 'web' })])
      expect(await planFor(container({}, { ...nested, parent }))).toEqual({
        ...(await planFor(container())),
        namespaces: entered,
      });
  });

  test('DEFAULT without one: the root filesystem of what it is nested in, with its own sandbox on it', async () => {
    const web = container({ rootfs }, { id: 'web' });
    for (const parent of [web, container({}, { id: 'web.group', parent: web })])
      expect(await planFor(container({}, { ...nested, parent }))).toEqual({
        ...untouched,
        namespaces: entered,
        environment: { MESOS_SANDBOX: '/mnt/mesos/sandbox' },
        workingDirectory: '/',
        mounts: [
          {
            type: 'bind',
            source: '/var/lib/caisson/containers/web',
            below: 'sandbox',
            target: '/mnt/mesos/sandbox',
            recursive: true,
            flags: ['nosuid', 'nodev'],
            createTarget: 'directory',
          },
        ],
        maskedPaths: [...MASKED_PATHS],
        readOnlyPaths: [...READ_ONLY_PATHS],
      });
  });

  test('refused when nothing of the parent runs', async () => {
    await expect(planFor(container({}, { ...nested, parentPid: undefined }))).rejects.toMatchObject({
      code: 'PARENT_NOT_RUNNING',
    });
  });

  test('DEBUG: in the mount namespace of its parent, and nothing else', async () => {
    expect(await planFor(container({}, debug))).toEqual({
      ...untouched,
      namespaces: { create: [], enter: [{ kind: 'mount', pid: 4321 }] },
    });
  });

  test('DEBUG: a root filesystem is refused', async () => {
    await expect(planFor(container({ rootfs }, debug))).rejects.toMatchObject({
      code: 'DEBUG_ROOTFS',
      kind: 'invalid',
    });
  });

  test('DEBUG: refused when nothing of the parent runs', async () => {
    await expect(planFor(container({}, { ...debug, parentPid: undefined }))).rejects.toMatchObject({
      code: 'PARENT_NOT_RUNNING',
      kind: 'conflict',
    });
  });
});

describe('the definition', () => {
  const [definition] = plugin.isolators ?? [];

  test('needs Linux, root, the launcher linux; excludes the other filesystem isolators', () => {
    expect(definition?.requires).toMatchObject({
      platform: 'linux',
      root: true,
      launcher: 'linux',
      conflicts: ['filesystem/*'],
    });
    expect(definition?.supportsNesting).toBe(true);
  });

  test('its options have defaults and explain themselves', () => {
    expect(FilesystemLinuxOptions.parse({})).toEqual({
      sandboxDirectory: '/mnt/mesos/sandbox',
      reachableRootfs: 'warn',
    });
    const { properties = {} } = z.toJSONSchema(FilesystemLinuxOptions, { io: 'input' });
    for (const property of Object.values(properties))
      expect(property).toMatchObject({
        description: expect.stringMatching(/.{80}/),
        default: expect.any(String),
      });
  });

  const places: [string, boolean][] = [
    ['/sandbox', true],
    ['/mnt/mesos/sandbox', true],
    ['/process', true],
    ['/', false],
    ['sandbox', false],
    ['/a/../b', false],
    ['/a//b', false],
    ['/a/', false],
    ['/a\0', false],
    ['/proc', false],
    ['/proc/x', false],
    ['/sys/fs', false],
    ['/dev/shm', false],
  ];
  for (const [place, good] of places)
    test(`sandboxDirectory ${JSON.stringify(place)} is ${good ? 'accepted' : 'refused'}`, () => {
      expect(FilesystemLinuxOptions.safeParse({ sandboxDirectory: place }).success).toBe(good);
    });

  test('an unknown option is refused', () => {
    expect(FilesystemLinuxOptions.safeParse({ sandbox_directory: '/x' }).success).toBe(false);
  });
});
