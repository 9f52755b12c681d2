import { type Container, type ContainerConfig, createHooks, LaunchPlan } from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer, RecordingLogger } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import plugin, { errors } from './index.js';
import { FilesystemPosixIsolator } from './isolator.js';

const HOST = {
  workDir: '/var/lib/caisson',
  runtimeDir: '/run/caisson',
  isolation: ['filesystem/posix'],
  launcher: 'posix',
};

const container = (config: Partial<ContainerConfig> = {}, more: Partial<Omit<Container, 'config'>> = {}) =>
  fakeContainer({ ...more, config });

describeIsolatorContract({ plugin });

async function planFor(of: Container, start: Partial<LaunchPlan['data']> = {}): Promise<LaunchPlan['data']> {
  const hooks = createHooks();
  new FilesystemPosixIsolator(HOST, new RecordingLogger()).apply(hooks);
  const plan = new LaunchPlan({ argv: ['true'], ...start });
  await hooks.prepare.promise(of, plan);
  return plan.data;
}

const untouched = new LaunchPlan({ argv: ['true'] }).data;
const sandbox = '/var/lib/caisson/containers/web/sandbox';

describe('filesystem/posix', () => {
  test('says where the sandbox is and starts in it; adds nothing else', async () => {
    expect(await planFor(container())).toEqual({
      ...untouched,
      environment: { MESOS_SANDBOX: sandbox },
      workingDirectory: sandbox,
    });
  });

  test('leaves a working directory that the configuration names', async () => {
    expect((await planFor(container(), { workingDirectory: '/srv' })).workingDirectory).toBe('/srv');
  });

  const kinds: [string, Partial<Omit<Container, 'config'>>][] = [
    ['top level', {}],
    ['nested', { id: 'web.job', parentId: 'web' }],
    ['DEBUG', { id: 'web.look', parentId: 'web', class: 'DEBUG' }],
  ];
  for (const [kind, more] of kinds)
    test(`refuses a root filesystem: ${kind}`, async () => {
      const launch = planFor(container({ rootfs: '/srv/image' }, more));
      await expect(launch).rejects.toMatchObject({
        code: 'ROOTFS_UNSUPPORTED',
        kind: 'unsupported',
        message: expect.stringContaining(`container ${more.id ?? 'web'}:`),
        hint: expect.stringContaining('filesystem/linux'),
      });
    });

  test('excludes every other filesystem isolator, runs anywhere, and sees nested containers', () => {
    expect(plugin.isolators?.[0]).toMatchObject({
      name: 'filesystem/posix',
      requires: { conflicts: ['filesystem/*'] },
      supportsNesting: true,
    });
  });

  test('has no options', () => {
    const options = plugin.isolators?.[0]?.options;
    expect(options?.parse({})).toEqual({});
    expect(options?.safeParse({ sandboxDirectory: '/x' }).success).toBe(false);
  });

  test('escapes the path in its message', () => {
    expect(errors.ROOTFS_UNSUPPORTED('web', '/a\n\u001b[2J').message).toContain('"/a\\n\\u001b[2J"');
  });
});
