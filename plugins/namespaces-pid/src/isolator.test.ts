import { spawnSync } from 'node:child_process';
import {
  type Container,
  type ContainerConfig,
  createHooks,
  LaunchPlan,
  type LaunchPlanData,
  z,
} from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import { sharesPidNamespace, whyUnsupported } from './host.js';
import plugin from './index.js';
import { PidNamespaceIsolator } from './isolator.js';

const PROC = { type: 'proc', target: '/proc', flags: ['nosuid', 'nodev', 'noexec'] } as const;
type More = Partial<Omit<Container, 'config'>>;

const TOP: More = {};
// This process stands for a parent's first process: it is in the pid namespace of the agent, which is itself.
const NESTED = { id: 'web.job', parentId: 'web', parentPid: process.pid } satisfies More;
const DEBUG = { ...NESTED, class: 'DEBUG' } satisfies More;
const SHARE: Partial<ContainerConfig> = { sharePidNamespace: true };

describeIsolatorContract({ plugin });

async function planFor(
  more: More,
  config: Partial<ContainerConfig> = {},
  { disallow = false, start = {} as Partial<LaunchPlanData> } = {},
): Promise<LaunchPlanData> {
  const hooks = createHooks();
  new PidNamespaceIsolator({ disallowSharingAgentPidNamespace: disallow }).apply(hooks);
  const plan = new LaunchPlan({ argv: ['true'], ...start });
  await hooks.prepare.promise(fakeContainer({ ...more, config }), plan);
  return plan.data;
}

const PARENTS = { kind: 'pid', pid: process.pid } as const;
type Row = [
  what: string,
  more: More,
  config: Partial<ContainerConfig>,
  plan: Pick<LaunchPlanData['namespaces'], 'create' | 'enter'> & { mounts: readonly unknown[] },
];

/** The table of the reference: what a container of each kind contributes. */
const TABLE: readonly Row[] = [
  ['top level', TOP, {}, { create: ['pid'], enter: [], mounts: [PROC] }],
  ['top level, sharing', TOP, SHARE, { create: [], enter: [], mounts: [] }],
  ['nested', NESTED, {}, { create: ['pid'], enter: [PARENTS], mounts: [PROC] }],
  ['nested, sharing', NESTED, SHARE, { create: [], enter: [PARENTS], mounts: [PROC] }],
  ['DEBUG', DEBUG, {}, { create: [], enter: [PARENTS], mounts: [] }],
  ['DEBUG, sharing', DEBUG, SHARE, { create: [], enter: [PARENTS], mounts: [] }],
];

describe('the plan', () => {
  const untouched = new LaunchPlan({ argv: ['true'] }).data;
  for (const [what, more, config, { create, enter, mounts }] of TABLE)
    test(what, async () => {
      expect(await planFor(more, config)).toEqual({ ...untouched, namespaces: { create, enter }, mounts });
    });

  test('has one /proc, also when filesystem/linux has planned it', async () => {
    const mounts = [{ type: 'proc', target: '/proc', flags: [] }];
    expect((await planFor(TOP, {}, { start: { mounts } })).mounts).toEqual([
      { type: 'proc', target: '/proc', flags: [] },
    ]);
  });

  for (const [what, more] of [
    ['nested', NESTED],
    ['DEBUG', DEBUG],
  ] as const)
    test(`${what}: refused when nothing of the parent runs`, async () => {
      await expect(planFor({ ...more, parentPid: undefined })).rejects.toMatchObject({
        code: 'PARENT_NOT_RUNNING',
        kind: 'conflict',
        message: expect.stringContaining('its parent web'),
      });
    });
});

describe('disallowSharingAgentPidNamespace', () => {
  const refused = { code: 'PID_SHARING_DISALLOWED', kind: 'denied' };
  const disallow = { disallow: true };

  test('refuses to share at the top level', async () => {
    await expect(planFor(TOP, SHARE, disallow)).rejects.toMatchObject(refused);
  });

  test('lets a container have its own', async () => {
    expect((await planFor(TOP, {}, disallow)).namespaces.create).toEqual(['pid']);
    expect((await planFor(NESTED, {}, disallow)).namespaces.create).toEqual(['pid']);
  });

  // The parent was launched before the operator disallowed it: the reference lets these through.
  test('refuses to share, or to look into, a parent that shares', async () => {
    await expect(planFor(NESTED, SHARE, disallow)).rejects.toMatchObject(refused);
    await expect(planFor(DEBUG, {}, disallow)).rejects.toMatchObject(refused);
  });

  test('says so when the parent has ended meanwhile', async () => {
    const parentPid = spawnSync('true').pid;
    await expect(planFor({ ...NESTED, parentPid }, SHARE, disallow)).rejects.toMatchObject({
      code: 'PARENT_NOT_RUNNING',
    });
  });
});

describe('the definition', () => {
  const [definition] = plugin.isolators ?? [];

  test('needs Linux, root, the launcher linux and filesystem/linux', () => {
    expect(definition?.requires).toMatchObject({
      platform: 'linux',
      root: true,
      launcher: 'linux',
      isolators: ['filesystem/linux'],
    });
    expect(definition?.supportsNesting).toBe(true);
  });

  test('has its option off by default, strict, and explained', () => {
    const options = definition?.options as z.ZodType;
    expect(options.parse({})).toEqual({ disallowSharingAgentPidNamespace: false });
    expect(options.safeParse({ disallow: true }).success).toBe(false);
    expect(options.safeParse({ disallowSharingAgentPidNamespace: 'yes' }).success).toBe(false);
    expect(z.toJSONSchema(options, { io: 'input' }).properties).toMatchObject({
      disallowSharingAgentPidNamespace: { default: false, description: expect.stringContaining('disallow_') },
    });
  });

  (process.platform === 'linux' ? test : test.skip)('knows its host', () => {
    expect(whyUnsupported()).toBeUndefined();
    expect(sharesPidNamespace(process.pid)).toBe(true);
  });
});
