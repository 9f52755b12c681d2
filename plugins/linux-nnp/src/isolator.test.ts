import {
  type Container,
  type ContainerConfig,
  createHooks,
  LaunchPlan,
  type LaunchPlanData,
} from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import plugin from './index.js';
import { NoNewPrivilegesIsolator } from './isolator.js';

type More = Partial<Omit<Container, 'config'>>;

const container = (config: Partial<ContainerConfig> = {}, more: More = {}) =>
  fakeContainer({ ...more, config });

describeIsolatorContract({ plugin });

async function prepare(of: Container, plan: LaunchPlan): Promise<LaunchPlanData> {
  const hooks = createHooks();
  new NoNewPrivilegesIsolator().apply(hooks);
  plan.contributor = 'linux/nnp';
  await hooks.prepare.promise(of, plan);
  return plan.data;
}

const newPlan = (start: Partial<LaunchPlanData> = {}) => new LaunchPlan({ argv: ['true'], ...start });

const KINDS: [string, More][] = [
  ['top level', {}],
  ['nested', { id: 'web.job', parentId: 'web' }],
  ['DEBUG', { id: 'web.look', parentId: 'web', class: 'DEBUG' }],
];

describe('linux/nnp', () => {
  for (const [kind, more] of KINDS) {
    test(`${kind}: sets the flag and nothing else`, async () => {
      expect(await prepare(container({}, more), newPlan({ noNewPrivileges: false }))).toEqual(newPlan().data);
      expect(await prepare(container({ noNewPrivileges: true }, more), newPlan())).toEqual(newPlan().data);
    });

    test(`${kind}: refuses a container that asks for the contrary`, async () => {
      const launch = prepare(container({ noNewPrivileges: false }, more), newPlan());
      await expect(launch).rejects.toMatchObject({
        code: 'NEW_PRIVILEGES_DISALLOWED',
        kind: 'denied',
        message: expect.stringContaining(`container ${more.id ?? 'web'} asks`),
      });
    });
  }

  test('a privileged container has the flag too', async () => {
    const plan = newPlan({ privileged: true });
    expect(await prepare(container({ privileged: true }), plan)).toMatchObject({
      noNewPrivileges: true,
      privileged: true,
    });
  });

  test('an isolator that wants the contrary is refused, and both are named', async () => {
    const plan = newPlan();
    await prepare(container(), plan);
    plan.contributor = 'acme/sudo';
    expect(() => plan.setNoNewPrivileges(false)).toThrow(/linux\/nnp.*acme\/sudo/);
  });

  test('needs Linux and its launcher, not root, and sees nested containers', () => {
    expect(plugin.isolators?.[0]).toMatchObject({
      name: 'linux/nnp',
      requires: { platform: 'linux', launcher: 'linux' },
      supportsNesting: true,
    });
    expect(plugin.isolators?.[0]?.requires?.root).toBeUndefined();
  });

  test('has no options', () => {
    const options = plugin.isolators?.[0]?.options;
    expect(options?.parse({})).toEqual({});
    expect(options?.safeParse({ noNewPrivileges: false }).success).toBe(false);
  });
});
