import { type ContainerConfig, parseBytes, type Volume } from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer, StartedIsolator } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import plugin from './index.js';

const tmpfs = (more: object = {}): Volume['source'] => ({ type: 'TMPFS', ...more });
const at = (containerPath: string, source = tmpfs(), mode: Volume['mode'] = 'RW'): Volume => ({
  containerPath,
  source,
  mode,
});

describeIsolatorContract({ plugin });
describe('with a volume', () => {
  describeIsolatorContract({ plugin, container: () => ({ config: { volumes: [at('/usr'), at('cache')] } }) });
});

async function mountsFor(volumes: Volume[], options: object = {}, config: Partial<ContainerConfig> = {}) {
  const isolator = new StartedIsolator({ plugin, options });
  const plan = await isolator.prepare(
    fakeContainer({ config: { rootfs: '/srv/image', ...config, volumes } }),
  );
  return plan.data.mounts;
}

describe('volume/tmpfs', () => {
  test('mounts a tmpfs for all, with a limit', async () => {
    expect(await mountsFor([at('/cache')])).toEqual([
      {
        type: 'tmpfs',
        target: '/cache',
        createTarget: 'directory',
        flags: ['nosuid', 'nodev'],
        options: { mode: '1777', size: String(parseBytes('64MB')) },
      },
    ]);
  });

  test('with its own limit and permissions; read-only; outer ones first', async () => {
    const source = tmpfs({ limitBytes: 4096, permissions: 0o700 });
    const mounts = await mountsFor([at('/a/b', source, 'RO'), at('/a')]);
    expect(mounts.map(({ target }) => target)).toEqual(['/a', '/a/b']);
    expect(mounts[1]).toMatchObject({
      flags: ['nosuid', 'nodev', 'ro'],
      options: { mode: '700', size: '4096' },
    });
  });

  test('a relative path is in the sandbox', async () => {
    const [mount] = await mountsFor([at('cache')], {}, { rootfs: undefined as never });
    expect(mount).toMatchObject({
      target: '/var/lib/caisson/containers/web/sandbox/cache',
      createTarget: 'directory',
    });
  });

  test('no more than the operator allows, by default no more either', async () => {
    await expect(
      mountsFor([at('/a', tmpfs({ limitBytes: 2 ** 21 }))], { maximum: '1MB' }),
    ).rejects.toMatchObject({
      code: 'VOLUME_TOO_LARGE',
      kind: 'denied',
      message: expect.stringContaining('shall hold 2MB, and 1MB are allowed'),
    });
    expect((await mountsFor([at('/a')], { maximum: '1MB' }))[0]).toMatchObject({
      options: { size: String(2 ** 20) },
    });
  });

  test('not over the sandbox, nor where a container without a root filesystem has nothing', async () => {
    await expect(mountsFor([at('/var/lib')])).rejects.toMatchObject({ code: 'VOLUME_HIDES_SANDBOX' });
    const launch = mountsFor([at('/does/not/exist')], {}, { rootfs: undefined as never });
    await expect(launch).rejects.toMatchObject({ code: 'VOLUME_TARGET_MISSING' });
  });

  test('needs filesystem/linux', () => {
    expect(plugin.isolators?.[0]?.requires).toMatchObject({
      isolators: ['filesystem/linux'],
      launcher: 'linux',
    });
  });
});
