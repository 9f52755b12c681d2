import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mount, umount } from '@caisson/linux/syscalls';
import { busyboxRootfs, exchangeForEver, inNamespaces, needs, withCensus } from '@caisson/linux/testing';
import type { ContainerConfig, Volume } from '@caisson/plugin-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Containers, newDirectory } from './containers.js';
import { makeOutside, snapshot } from './hostile-places.js';

const kernelTest = needs(test, { root: true, busybox: true });
const isolation = [
  'volume/host_path',
  'volume/sandbox_path',
  'volume/tmpfs',
  'filesystem/linux',
  'namespaces/pid',
];

/** The volumes of the three isolators, in containers with and without a root filesystem. */
let containers: Containers;
let directory = '';
const dir = (name: string) => join(directory, name);
const open = () =>
  Containers.open({ isolation, directory, flags: { host_path_volume_force_creation: dir('allowed') } });
const volume = (containerPath: string, source: Volume['source'], mode: Volume['mode'] = 'RW'): Volume => ({
  containerPath,
  source,
  mode,
});
const host = (path: string, more: object = {}): Volume['source'] => ({ type: 'HOST_PATH', path, ...more });
const sandboxOf = (of: 'SELF' | 'PARENT', path: string): Volume['source'] => ({
  type: 'SANDBOX_PATH',
  of,
  path,
});
const hostsMounts = () => readFileSync('/proc/self/mountinfo', 'utf8');
const outputOf = async (script: string, config: Partial<ContainerConfig>, id: string): Promise<string> => {
  const { sandbox } = await containers.start(script, config, id);
  await containers.core.wait(id);
  return readFileSync(join(sandbox, 'stdout'), 'utf8') + readFileSync(join(sandbox, 'stderr'), 'utf8');
};

if (process.getuid?.() === 0) {
  beforeAll(async () => {
    directory = newDirectory('/var/tmp');
    busyboxRootfs(dir('rootfs'));
    makeOutside(dir('outside'));
    for (const name of ['data', 'allowed']) mkdirSync(dir(name));
    containers = await open();
    // What is opened at the first use.
    await containers.start('exec sleep 60', {}, 'warm');
    await containers.start('exec sleep 60', {}, 'warm.nested');
    await containers.endAll();
    await containers.run('true', { volumes: [volume('/absent', { type: 'TMPFS' })] }).catch(() => {});
  });
  afterEach(() => containers.endAll());
  afterAll(() => containers.close());
  withCensus({
    directories: () => [join(directory, 'work'), dir('allowed')],
    cgroups: /caisson-c\d+-/,
    reapOrphans: true,
  });
}

const TREES: Readonly<Record<string, () => Partial<ContainerConfig>>> = {
  'without a root filesystem': () => ({}),
  'with a root filesystem': () => ({ rootfs: dir('rootfs') }),
};

for (const [tree, config] of Object.entries(TREES))
  describe(tree, () => {
    const run = (script: string, ...volumes: Volume[]) => containers.run(script, { ...config(), volumes });

    kernelTest('a directory of the host, read and written; the host mounts nothing', async () => {
      const before = hostsMounts();
      writeFileSync(dir('data/in'), 'in\n');
      const { stdout } = await run(
        'cat /srv/in; echo out > /srv/out; grep " /srv " /proc/self/mounts',
        volume('/srv', host(dir('data'))),
      );
      expect(stdout).toMatch(/^in\n\S+ \/srv \S+ rw,nosuid,nodev/);
      expect(readFileSync(dir('data/out'), 'utf8')).toBe('out\n');
      for (const name of ['in', 'out']) rmSync(dir(`data/${name}`));
      expect(hostsMounts()).toBe(before);
    });

    kernelTest('read-only, below nested mounts too', async () => {
      mkdirSync(dir('data/below'));
      mount({ source: 'none', target: dir('data/below'), type: 'tmpfs' });
      try {
        const { stdout } = await run(
          'for f in /srv/x /srv/below/x; do touch $f 2>/dev/null || echo refused; done',
          volume('/srv', host(dir('data')), 'RO'),
        );
        expect(stdout).toBe('refused\nrefused\n');
      } finally {
        umount(dir('data/below'));
        rmSync(dir('data/below'), { recursive: true });
      }
    });

    kernelTest('a file, and a directory, in the sandbox; one volume in another', async () => {
      writeFileSync(dir('file'), 'of the host\n');
      const { stdout } = await run(
        'cd "$MESOS_SANDBOX"; cat conf data/conf; ls data',
        volume('data/conf', host(dir('file'))),
        volume('conf', host(dir('file')), 'RO'),
        volume('data', host(dir('data'))),
      );
      expect(stdout).toBe('of the host\nof the host\nconf\n');
      rmSync(dir('file'));
      rmSync(dir('data/conf'), { force: true });
    });

    kernelTest('what may be made is made, and goes if it is empty', async () => {
      await run('ls /srv', volume('/srv', host(dir('allowed/a/b'))));
      expect(existsSync(dir('allowed/a'))).toBe(false);
      await run('touch /srv/kept', volume('/srv', host(dir('allowed/a/b'))));
      expect(existsSync(dir('allowed/a/b/kept'))).toBe(true);
      rmSync(dir('allowed/a'), { recursive: true });
    });

    kernelTest(
      'memory: as much as it may hold, with its permissions, and gone with the container',
      async () => {
        const tmpfs = (more: object): Volume['source'] => ({ type: 'TMPFS', ...more });
        const { stdout } = await run(
          'stat -c %a /tmp /srv; head -c 100000 /dev/zero > /srv/x || echo full; stat -c %s /srv/x; ls -A /tmp',
          volume('/tmp', tmpfs({})),
          volume('/srv', tmpfs({ limitBytes: 65536, permissions: 0o700 })),
        );
        expect(stdout).toBe('1777\n700\nfull\n65536\n');
      },
    );

    kernelTest("a directory of the sandbox elsewhere; its parent's in a nested container", async () => {
      await containers.start(
        'echo mine > /srv/x; exec sleep 60',
        { ...config(), volumes: [volume('/srv', sandboxOf('SELF', 'kept'))], user: '1000:1000' },
        'web',
      );
      const { sandbox } = containers.core.inspect('web');
      while (!existsSync(join(sandbox, 'kept/x'))) await sleep(2);
      expect(statSync(join(sandbox, 'kept')).uid).toBe(1000);
      const shared = [
        volume('/mnt', sandboxOf('PARENT', 'kept')),
        volume('common', sandboxOf('PARENT', 'kept'), 'RO'),
      ];
      // /mnt is where a root filesystem has the sandbox: it would hide that.
      const volumes = config().rootfs ? shared.slice(1) : shared;
      const script = 'cd "$MESOS_SANDBOX"; cat common/x; touch common/y 2>/dev/null || echo read-only';
      expect(await outputOf(script, { volumes }, 'web.job')).toBe('mine\nread-only\n');
    });
  });

describe('a persistent volume of the parent, in a nested container', () => {
  kernelTest('by the path that it has in the sandbox of the parent', async () => {
    const data = {
      disk: 1,
      persistence: { id: 'db' },
      volume: { containerPath: 'data', mode: 'RW' as const },
    };
    await containers.start('exec sleep 60', { resources: { volumes: [data] } }, 'web');
    const volumes = [volume('theirs', sandboxOf('PARENT', 'data/in'))];
    expect(await outputOf('touch theirs/x; ls theirs', { volumes }, 'web.job')).toBe('x\n');
    expect(existsSync(join(directory, 'work/volumes/roles/*/db/in/x'))).toBe(true);
    await containers.endAll();
    rmSync(join(directory, 'work/volumes'), { recursive: true });
  });
});

describe('after a restart of the agent, and a reload', () => {
  kernelTest('volumes of what is nested are as before, and what was made is removed', async () => {
    const volumes = [volume('/srv', host(dir('allowed/made')))];
    await containers.start('exec sleep 60', { volumes }, 'web');
    await containers.leave();
    containers = await open();
    await containers.core.reload(containers.core.configuration);
    const shared = [volume('common', sandboxOf('PARENT', 'common'))];
    expect(await outputOf('touch common/x; ls common', { volumes: shared }, 'web.job')).toBe('x\n');
    expect(existsSync(dir('allowed/made'))).toBe(true);
    await containers.endAll();
    expect(existsSync(dir('allowed/made'))).toBe(false);
    await containers.run('true');
    await containers.run('true', { volumes: [volume('/absent', { type: 'TMPFS' })] }).catch(() => {});
  });
});

describe('F1: hostile places', () => {
  kernelTest('a link of the root filesystem where a volume goes, absolute or by ..', async () => {
    const before = snapshot(dir('outside'));
    for (const target of [dir('outside'), '../../../../outside', '/proc/self/root']) {
      symlinkSync(target, dir('rootfs/place'));
      const volumes = [volume('/place/made', { type: 'TMPFS' }), volume('/place', host(dir('data')))];
      await containers.run('true', { rootfs: dir('rootfs'), volumes }).catch(() => {});
      rmSync(dir('rootfs/place'));
    }
    expect(snapshot(dir('outside'))).toEqual(before);
  });

  kernelTest(
    "a directory of the parent's sandbox that is exchanged with a link while it is mounted",
    async () => {
      await containers.start('exec sleep 60', {}, 'web');
      const { sandbox } = containers.core.inspect('web');
      const before = snapshot(dir('outside'));
      mkdirSync(join(sandbox, 'shared'));
      symlinkSync(dir('outside'), join(sandbox, 'link'));
      const attacker = exchangeForEver(join(sandbox, 'shared'), join(sandbox, 'link'));
      let launched = 0;
      try {
        for (let i = 0; i < 60; i++) {
          const volumes = [volume('common', sandboxOf('PARENT', 'shared'))];
          const id = `web.job${i}`;
          try {
            expect(await outputOf('ls common', { volumes }, id)).toBe('');
            launched += 1;
          } catch (error) {
            expect((error as Error).message).toMatch(/ELOOP|ENOTDIR/);
          }
        }
      } finally {
        attacker.stop();
      }
      expect(launched).toBeGreaterThan(0);
      expect(lstatSync(join(sandbox, 'shared'))).toBeDefined();
      expect(snapshot(dir('outside'))).toEqual(before);
    },
  );
});

describe('mounts that are made later', () => {
  kernelTest('go to the container, to the host, or nowhere, as the volume says', () => {
    const seen = inNamespaces(
      ['--mount', '--propagation=private'],
      async ({ fs, syscalls: { mount, MS } }, { module, rootfs, isolation }) => {
        mount({ source: 'none', target: '/media', type: 'tmpfs' });
        mount({ target: '/media', flags: MS.MS_SHARED });
        const { Containers } = await import(module);
        const containers = await Containers.open({ isolation });
        const until = async (path: string, text: string) => {
          while (!fs.existsSync(path) || !fs.readFileSync(path, 'utf8').includes(text))
            await new Promise((resolve) => setTimeout(resolve, 2));
        };
        const seen: Record<string, unknown> = {};
        for (const [name, mode, mountPropagation] of [
          ['default', 'RW', undefined],
          ['read-only', 'RO', undefined],
          ['private', 'RW', 'private'],
          ['both', 'RW', 'bidirectional'],
        ] as const) {
          for (const sub of ['host', 'container']) fs.mkdirSync(`/media/${name}/${sub}`, { recursive: true });
          const source = { type: 'HOST_PATH', path: `/media/${name}`, mountPropagation };
          const script =
            'echo ready; while [ ! -e go ]; do sleep 0.01; done; ls /srv/host; mount -t tmpfs none /srv/container && touch /srv/container/x; echo done; sleep 60';
          const { sandbox } = await containers.start(
            `cd "$MESOS_SANDBOX"; ${script}`,
            { rootfs, privileged: true, volumes: [{ containerPath: '/srv', mode, source }] },
            name,
          );
          await until(`${sandbox}/stdout`, 'ready');
          mount({ source: 'none', target: `/media/${name}/host`, type: 'tmpfs' });
          fs.writeFileSync(`/media/${name}/host/of-the-host`, '');
          fs.writeFileSync(`${sandbox}/go`, '');
          await until(`${sandbox}/stdout`, 'done');
          seen[name] = {
            inside: fs.readFileSync(`${sandbox}/stdout`, 'utf8').includes('of-the-host'),
            outside: fs.existsSync(`/media/${name}/container/x`),
          };
        }
        fs.mkdirSync('/mnt/not-shared', { recursive: true });
        const bidirectional = { type: 'HOST_PATH', path: rootfs, mountPropagation: 'bidirectional' };
        const refusal = await containers
          .start('true', { volumes: [{ containerPath: '/srv', mode: 'RW', source: bidirectional }] })
          .catch((error: { code: string }) => error.code);
        fs.rmdirSync('/mnt/not-shared');
        await containers.close();
        return { seen, refusal };
      },
      {
        module: new URL('./containers.js', import.meta.url).href,
        rootfs: dir('rootfs'),
        isolation: ['filesystem/linux', 'namespaces/pid', 'volume/host_path'],
      },
    );
    expect(seen).toEqual({
      seen: {
        default: { inside: true, outside: false },
        'read-only': { inside: false, outside: false },
        private: { inside: false, outside: false },
        both: { inside: true, outside: true },
      },
      refusal: 'VOLUME_NOT_SHARED',
    });
  });
});
