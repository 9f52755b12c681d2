import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxRootfs, exchangeForEver, inMountNamespace, needs, withCensus } from '@caisson/linux/testing';
import type { ContainerConfig, PersistentVolume } from '@caisson/plugin-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Containers, newDirectory } from './containers.js';
import { makeOutside, snapshot } from './hostile-places.js';

const kernelTest = needs(test, { root: true, busybox: true });
const isRoot = process.getuid?.() === 0;

const volume = (id = 'db', more: Partial<PersistentVolume> = {}): PersistentVolume => ({
  disk: 16,
  persistence: { id },
  volume: { containerPath: 'data', mode: 'RW' },
  role: 'eng/db',
  ...more,
});
const at = (containerPath: string, mode: 'RW' | 'RO' = 'RW') => ({ volume: { containerPath, mode } });
const withVolumes = (...volumes: PersistentVolume[]): Partial<ContainerConfig> => ({
  resources: { volumes },
});
const hostsMounts = () => readFileSync('/proc/self/mountinfo', 'utf8');

interface Kind {
  readonly isolation: readonly string[];
  /** How often a name is exchanged while a volume is put there. */
  readonly tries: number;
  /** The root filesystem that containers have, if any. */
  readonly rootfs: boolean;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'filesystem/linux': { isolation: ['filesystem/linux', 'namespaces/pid'], rootfs: false, tries: 1000 },
  'filesystem/linux, with a root filesystem': {
    isolation: ['filesystem/linux', 'namespaces/pid'],
    rootfs: true,
    tries: 100,
  },
  'filesystem/posix': { isolation: ['filesystem/posix'], rootfs: false, tries: 100 },
};

for (const [kind, { isolation, rootfs, tries }] of Object.entries(KINDS))
  describe(`persistent volumes: ${kind}`, () => {
    let containers: Containers;
    let directory = '';
    const mounts = isolation.includes('filesystem/linux');
    const open = () => Containers.open({ isolation, directory });
    /** Another agent takes the containers up. */
    const restart = async (meanwhile = () => {}) => {
      await containers.leave();
      meanwhile();
      containers = await open();
      await warmUp();
    };
    const stored = (id = 'db') => join(directory, 'work/volumes/roles/eng db', id);
    /** What is opened at the first launch, of a nested container too, the first end, and the first launch that fails. */
    const warmUp = async () => {
      await run('true', withVolumes(volume('db', at('stdout')))).catch(() => {});
      await start('exec sleep 60', {}, 'warm');
      await start('exec sleep 60', {}, 'warm.nested');
      await containers.core.destroy('warm');
      await containers.core.remove('warm');
    };
    const configOf = (config: Partial<ContainerConfig>): Partial<ContainerConfig> => ({
      ...(rootfs && { rootfs: join(directory, 'rootfs') }),
      ...config,
    });
    const run = (script: string, config: Partial<ContainerConfig> = {}) =>
      containers.run(`cd "$MESOS_SANDBOX" && ${script}`, configOf(config));
    const start = (script: string, config: Partial<ContainerConfig> = {}, id = 'web') =>
      containers.start(`cd "$MESOS_SANDBOX" && ${script}`, configOf(config), id);
    /** A container that runs, and does in its sandbox what it is told, one line at a time. */
    const obedient = async (config: Partial<ContainerConfig> = {}, id = 'web') => {
      const { sandbox } = await start(
        'mkfifo -m 666 orders; exec 3<> orders; while read -r line <&3; do eval "$line" > answer.new 2>&1; mv answer.new answer; done',
        config,
        id,
      );
      while (!existsSync(join(sandbox, 'orders'))) await sleep(2);
      return async (order: string): Promise<string> => {
        writeFileSync(join(sandbox, 'orders'), `${order}\n`);
        while (!existsSync(join(sandbox, 'answer'))) await sleep(2);
        const answer = readFileSync(join(sandbox, 'answer'), 'utf8');
        rmSync(join(sandbox, 'answer'));
        return answer;
      };
    };
    const update = (id: string, ...volumes: PersistentVolume[]) => containers.core.update(id, { volumes });

    if (isRoot) {
      beforeAll(async () => {
        directory = newDirectory();
        if (rootfs) busyboxRootfs(join(directory, 'rootfs'));
        containers = await open();
        await warmUp();
      });
      afterEach(async () => {
        await containers.endAll();
        rmSync(join(directory, 'work/volumes'), { recursive: true, force: true });
      });
      afterAll(() => containers.close());
      withCensus({
        directories: () => [join(directory, 'work')],
        cgroups: /caisson-c\d+-/,
        reapOrphans: true,
      });
    }

    kernelTest('data outlives the container, and nothing else does', async () => {
      expect(await run('echo kept > data/file; echo lost > file', withVolumes(volume()))).toMatchObject({
        exitCode: 0,
      });
      expect(readFileSync(join(stored(), 'file'), 'utf8')).toBe('kept\n');
      const { stdout } = await run('cat data/file; ls', withVolumes(volume()));
      expect(stdout).toBe('kept\ndata\nstderr\nstdout\n');
      expect(readdirSync(stored())).toEqual(['file']);
    });

    kernelTest('belong to the user of the container; nobody else on the host gets to them', async () => {
      const user = { user: '1000:1001' };
      expect(await run('touch data/mine', { ...user, ...withVolumes(volume()) })).toMatchObject({
        exitCode: 0,
      });
      const { uid, gid, mode } = statSync(stored());
      expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 1000, gid: 1001, mode: 0o755 });
      // A link is followed by the container's own user; a mount needs nobody to.
      expect(statSync(join(directory, 'work/volumes')).mode & 0o777).toBe(mounts ? 0o700 : 0o711);
      // Root leaves the owner as he is, and what is below is nobody's business.
      await run('true', withVolumes(volume()));
      expect(statSync(stored()).uid).toBe(1000);
    });

    kernelTest('appear in a container that runs, and disappear; the host mounts nothing', async () => {
      const before = hostsMounts();
      const tell = await obedient();
      await update('web', volume());
      expect(await tell('echo first > data/file; cat data/file')).toBe('first\n');
      await update('web', volume(), volume('more', at('more')));
      expect(await tell('echo second > more/file; cat data/file')).toBe('first\n');
      if (mounts) expect(await tell('grep -c "nosuid,nodev.* - " /proc/self/mountinfo | wc -l')).toBe('1\n');
      expect(hostsMounts()).toBe(before);
      await update('web', volume('more', at('more')));
      expect(await tell('ls data; cat more/file')).toMatch(/data.*No such file.*\nsecond\n$/);
      await containers.core.update('web', {});
      expect(await tell('ls -A')).toBe('answer.new\norders\nstderr\nstdout\n');
      expect(readFileSync(join(stored(), 'file'), 'utf8')).toBe('first\n');
      expect(readFileSync(join(stored('more'), 'file'), 'utf8')).toBe('second\n');
      expect(hostsMounts()).toBe(before);
    });

    kernelTest('come and go also after a restart of the agent, and after a reload', async () => {
      const tell = await obedient(withVolumes(volume()));
      await restart();
      await containers.core.reload(containers.core.configuration);
      await warmUp();
      await update('web', volume('more', at('more')));
      expect(await tell('touch more/x; ls')).toBe('answer.new\nmore\norders\nstderr\nstdout\n');
      await update('web', volume());
      expect(await tell('touch data/y; ls')).toBe('answer.new\ndata\norders\nstderr\nstdout\n');
      expect([readdirSync(stored('more')), readdirSync(stored())]).toEqual([['x'], ['y']]);
    });

    kernelTest('an update that fails leaves what there was', async () => {
      const tell = await obedient(withVolumes(volume()));
      await tell('mkdir -p taken/already');
      const failing = update('web', volume('first', at('first')), volume('second', at('taken')));
      await expect(failing).rejects.toMatchObject({ code: 'VOLUME_PLACE_TAKEN' });
      expect(await tell('echo still > data/file; ls')).toBe(
        'answer.new\ndata\norders\nstderr\nstdout\ntaken\n',
      );
      expect(readFileSync(join(stored(), 'file'), 'utf8')).toBe('still\n');
    });

    kernelTest('are in use by one container, or by all that share them', async () => {
      const shared = volume('common', { shared: true });
      const one = await obedient(withVolumes(volume(), { ...shared, ...at('common') }), 'one');
      const used = containers.start('true', configOf(withVolumes(volume())));
      await expect(used).rejects.toMatchObject({ code: 'VOLUME_IN_USE', kind: 'conflict' });
      const user = { user: '1000:1000' };
      const two = await obedient({ ...user, ...withVolumes({ ...shared, ...at('common') }) }, 'two');
      // It keeps its owner while somebody uses it.
      expect(statSync(stored('common')).uid).toBe(0);
      await one('echo shared > common/file');
      expect(await two('cat common/file')).toBe('shared\n');
      await containers.core.destroy('one');
      await run('true', withVolumes(volume()));
    });

    kernelTest('in nested containers too', async () => {
      await obedient();
      const nested = await start('touch data/x', withVolumes(volume()), 'web.job');
      expect(await containers.core.wait(nested.id)).toMatchObject({ exitCode: 0 });
      expect(readdirSync(stored())).toEqual(['x']);
      const tell = await obedient({}, 'web.told');
      await update('web.told', volume('more'));
      expect(await tell('touch data/y; ls')).toBe('answer.new\ndata\norders\nstderr\nstdout\n');
      await restart();
      await update('web.told');
      expect([await tell('ls'), readdirSync(stored('more'))]).toEqual([
        'answer.new\norders\nstderr\nstdout\n',
        ['y'],
      ]);
    });

    kernelTest('on disks of their own', async () => {
      const [disk, whole] = [join(directory, 'disk'), join(directory, 'whole')];
      for (const path of [disk, whole]) mkdirSync(path);
      const path = volume('db', { source: { type: 'PATH', root: disk } });
      const mounted = volume('db', { source: { type: 'MOUNT', root: whole }, ...at('all') });
      try {
        await run('touch data/a all/b', withVolumes(path, mounted));
        expect(readdirSync(join(disk, 'volumes/roles/eng db/db'))).toEqual(['a']);
        expect(readdirSync(whole)).toEqual(['b']);
        const absent = volume('db', { source: { type: 'MOUNT', root: join(directory, 'absent') } });
        await expect(run('true', withVolumes(absent))).rejects.toMatchObject({ code: 'VOLUME_UNAVAILABLE' });
      } finally {
        for (const each of [disk, whole]) rmSync(each, { recursive: true });
      }
    });

    test.each(['a/b', '/data', 'stdout', 'containers'])('F1: nobody has a volume at %j', async (place) => {
      if (!isRoot) return;
      await expect(run('true', withVolumes(volume('db', at(place))))).rejects.toMatchObject({
        code: 'VOLUME_PLACE_INVALID',
      });
      expect(existsSync(stored())).toBe(false);
    });

    /** As if the agent had been killed before it could write down which volumes the container has. */
    const forgetVolumes = () => {
      const state = join(directory, 'run/containers/web');
      for (const name of readdirSync(state)) {
        const path = join(state, name);
        const text = statSync(path).isFile() ? readFileSync(path, 'utf8') : '';
        if (text.includes('"volumes"'))
          writeFileSync(
            path,
            JSON.stringify(JSON.parse(text), (key, value) => (key === 'volumes' ? undefined : value)),
          );
      }
    };

    if (mounts)
      describe('by mounts', () => {
        kernelTest('read-only is read-only, and stays so', async () => {
          const tell = await obedient(withVolumes(volume()));
          await tell('echo written > data/file');
          await update('web', volume('db', at('data', 'RO')));
          expect(await tell('cat data/file; touch data/x')).toMatch(/^written\n.*Read-only file system/);
          expect(readdirSync(stored())).toEqual(['file']);
          const launched = await run('touch data/x', withVolumes(volume('other', at('data', 'RO'))));
          expect(launched.stderr).toContain('Read-only file system');
        });

        kernelTest('one that is in use is not taken away', async () => {
          const tell = await obedient(withVolumes(volume()));
          expect(await tell('exec 9> data/open')).toBe('');
          await expect(update('web')).rejects.toMatchObject({ code: 'VOLUME_BUSY', kind: 'conflict' });
          await tell('echo kept >&9; exec 9>&-');
          await update('web');
          expect(readFileSync(join(stored(), 'open'), 'utf8')).toBe('kept\n');
        });

        kernelTest('what an agent that was killed has mounted is mounted anew', async () => {
          const tell = await obedient(withVolumes(volume()));
          await restart(forgetVolumes);
          await update('web', volume('other'));
          expect(await tell('touch data/x; ls data')).toBe('x\n');
          expect(readdirSync(stored('other'))).toEqual(['x']);
        });
      });

    if (!mounts)
      describe('by links', () => {
        kernelTest('the link leads to the volume; read-only is refused', async () => {
          await obedient(withVolumes(volume()));
          const { sandbox } = containers.core.inspect('web');
          expect(readlinkSync(join(sandbox, 'data'))).toBe(stored());
          await expect(update('web', volume('db', at('data', 'RO')))).rejects.toMatchObject({
            code: 'VOLUME_READ_ONLY',
          });
          expect(readlinkSync(join(sandbox, 'data'))).toBe(stored());
        });
      });

    describe('F1: whatever the container puts there', () => {
      const outside = () => join(directory, 'outside');
      const attackers: { stop(): void }[] = [];

      if (isRoot) {
        beforeAll(() => {
          makeOutside(outside());
        });
        afterEach(() => {
          for (const each of attackers.splice(0)) each.stop();
        });
      }

      kernelTest('a link, absolute or by .., leads nowhere', async () => {
        await obedient();
        const { sandbox } = containers.core.inspect('web');
        const before = snapshot(outside());
        for (const target of [outside(), '../../../../outside', '/proc/self/root', '.']) {
          symlinkSync(target, join(sandbox, 'data'));
          await expect(update('web', volume())).rejects.toMatchObject({ code: 'VOLUME_PLACE_TAKEN' });
          expect(readlinkSync(join(sandbox, 'data'))).toBe(target);
          rmSync(join(sandbox, 'data'));
        }
        await update('web', volume());
        expect(snapshot(outside())).toEqual(before);
      });

      kernelTest(
        `a name that is exchanged with a link while the volume comes and goes, ${tries} times`,
        async () => {
          const tell = await obedient({ user: '1000:1000' });
          const { sandbox } = containers.core.inspect('web');
          const before = { outside: snapshot(outside()), mounts: hostsMounts() };
          if (mounts) {
            expect(naiveMounts(join(sandbox, 'data'), outside())).toBeGreaterThan(0);
            for (const name of ['data', 'data-link']) rmSync(join(sandbox, name), { recursive: true });
          }
          symlinkSync(outside(), join(sandbox, 'decoy'));
          attackers.push(exchangeForEver(join(sandbox, 'data'), join(sandbox, 'decoy')));
          let added = 0;
          for (let i = 0; i < tries; i++) {
            try {
              await update('web', volume(i % 2 === 0 ? 'db' : 'other'));
              added += 1;
            } catch (error) {
              expect(error).toMatchObject({
                code: expect.stringMatching(/^VOLUME_(PLACE_TAKEN|NOT_MOUNTED|BUSY)$/),
              });
              await update('web').catch(() => {});
            }
            // The attacker needs two names to exchange.
            for (const name of ['data', 'decoy'])
              if (lstatSync(join(sandbox, name), { throwIfNoEntry: false }) === undefined)
                mkdirSync(join(sandbox, name));
          }
          for (const each of attackers.splice(0)) each.stop();
          expect(added).toBeGreaterThan(0);
          expect(snapshot(outside())).toEqual(before.outside);
          expect(hostsMounts()).toBe(before.mounts);
          // The container too has no mount of it anywhere but in its sandbox.
          const mountPoints = await tell('cut -d " " -f 5 /proc/self/mountinfo');
          expect(mountPoints.split('\n').filter((each) => each.includes('outside'))).toEqual([]);
        },
      );
    });
  });

/** By path, as others did: how often a volume was mounted outside of the sandbox, of a name that is exchanged meanwhile. */
const naiveMounts = (place: string, outside: string): number =>
  inMountNamespace(
    async ({ fs, syscalls: { mount, umount, MS, UMOUNT } }, { place, outside, attackerModule }) => {
      const { exchangeForEver } = await import(attackerModule);
      fs.mkdirSync(place);
      fs.symlinkSync(outside, `${place}-link`);
      const attacker = exchangeForEver(place, `${place}-link`);
      let landed = 0;
      const deadline = performance.now() + 10_000;
      while (landed === 0 && performance.now() < deadline) {
        try {
          if (!fs.lstatSync(place).isDirectory()) continue;
          mount({ source: '/usr', target: place, flags: MS.MS_BIND });
          if (fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${outside} `)) landed += 1;
        } catch {
          // exchanged again
        }
        // A mount point can't be exchanged, whichever name it has by now.
        for (const each of [place, `${place}-link`, outside])
          try {
            umount(each, UMOUNT.MNT_DETACH | UMOUNT.UMOUNT_NOFOLLOW);
          } catch {
            // not this one
          }
      }
      attacker.stop();
      return landed;
    },
    { place, outside, attackerModule: import.meta.resolve('@caisson/linux/testing') },
  );
