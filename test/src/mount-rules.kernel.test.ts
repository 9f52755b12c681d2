import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mount, umount } from '@caisson/linux/syscalls';
import { busyboxRootfs, exchangeForEver, inMountNamespace, inNamespaces } from '@caisson/linux/testing';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { describe, expect } from '@jest/globals';
import { snapshot } from './hostile-places.js';
import { flagsOf, parseMounts } from './mount-lines.js';
import { kernelTest, type RootfsSetup, useRootfs } from './rootfs-setup.js';

/**
 * The rules F1, F2, F4 and F6 of the threat model: where mounts land, and with which flags. Each test first
 * shows the attack with its guard off: by the path-based calls that others made, or by a plan without what the isolators add.
 */
let { kit, rootfs, outside } = {} as RootfsSetup;
useRootfs((setup) => {
  ({ kit, rootfs, outside } = setup);
});
const shell = (script: string, edit?: (plan: LaunchPlanData) => void) => kit.shell(script, { rootfs }, edit);

describe('F1: a path in a root filesystem is hostile at every moment (class of CVE-2021-30465, CVE-2024-45310)', () => {
  const names = () => ({ data: join(rootfs, 'data'), link: join(rootfs, 'link') });
  const mountData = (plan: LaunchPlanData) =>
    plan.mounts.push({ type: 'tmpfs', target: '/data', flags: [], options: { mode: '700' } });

  const checkThenMount = () =>
    inMountNamespace(
      ({ fs, syscalls }, { directory, target }) => {
        let landedOutside = 0;
        // On a busy host the attacker may have to wait for a processor.
        const deadline = performance.now() + 20_000;
        for (let i = 0; landedOutside === 0 && performance.now() < deadline; i++) {
          try {
            if (!fs.realpathSync(target).startsWith(`${directory}/`)) continue;
            syscalls.mount({ source: `attack${i}`, target, type: 'tmpfs' });
          } catch {
            continue;
          }
          const line = fs
            .readFileSync('/proc/self/mountinfo', 'utf8')
            .match(new RegExp(`.* - tmpfs attack${i} `));
          const place = String(line).split(' ')[4] as string;
          if (!place.startsWith(`${directory}/`)) landedOutside += 1;
          try {
            syscalls.umount(place, syscalls.UMOUNT.MNT_DETACH);
          } catch {
            // Its name was exchanged again: the mount ends with this mount namespace.
          }
        }
        return landedOutside;
      },
      { directory: rootfs, target: names().data },
    );

  kernelTest('a name that is exchanged between check and mount', async () => {
    const { data, link } = names();
    mkdirSync(data);
    symlinkSync(outside, link);
    const before = snapshot(outside);
    const attacker = exchangeForEver(data, link);
    try {
      expect(checkThenMount()).toBeGreaterThan(0);
      let launched = 0;
      for (let i = 0; i < 150; i++) {
        const { stdout, error } = await shell('cat /proc/self/mounts', mountData);
        if (error) expect(error.message).toMatch(/step mount-filesystems: openat2\(.*: E(LOOP|NOENT) /);
        else {
          const added = parseMounts(stdout).filter(({ options }) => options.includes('mode=700'));
          expect(added.map(({ target }) => target.replace('/link', '/data'))).toEqual(['/data']);
          launched += 1;
        }
      }
      expect(launched).toBeGreaterThan(0);
      expect(snapshot(outside)).toEqual(before);
    } finally {
      attacker.stop();
      for (const path of [data, link]) rmSync(path, { recursive: true });
    }
  });

  kernelTest('a mount point that is created where a link of the image leads (MESOS-8257)', async () => {
    const place = join(rootfs, 'srv');
    symlinkSync(outside, place);
    try {
      mkdirSync(join(place, 'volume'), { recursive: true });
      expect(existsSync(join(outside, 'volume'))).toBe(true);
      rmSync(join(outside, 'volume'), { recursive: true });
      const { error } = await shell('true', (plan) => {
        plan.mounts.push({ type: 'tmpfs', target: '/srv/volume', flags: [], createTarget: 'directory' });
      });
      expect(error?.message).toContain('ELOOP');
      expect(existsSync(join(outside, 'volume'))).toBe(false);
    } finally {
      rmSync(place);
    }
  });
});

describe('F2: flags hold for the mounts below too', () => {
  kernelTest('a read-only directory with a mount in it', async () => {
    const source = join(kit.directory, 'source');
    mkdirSync(join(source, 'below'), { recursive: true });
    const byRemount = inMountNamespace(
      ({ fs, syscalls: { mount, MS } }, { source, target }) => {
        mount({ source: 'none', target: `${source}/below`, type: 'tmpfs' });
        mount({ source, target, flags: MS.MS_BIND | MS.MS_REC });
        mount({ target, flags: MS.MS_BIND | MS.MS_REMOUNT | MS.MS_RDONLY });
        fs.writeFileSync(`${target}/below/x`, 'written');
        return fs.readFileSync(`${source}/below/x`, 'utf8');
      },
      { source, target: join(rootfs, 'tmp') },
    );
    expect(byRemount).toBe('written');
    mount({ source: 'none', target: join(source, 'below'), type: 'tmpfs' });
    try {
      const { stdout } = await shell('touch /tmp/x /tmp/below/x 2>&1; cat /proc/self/mounts', (plan) => {
        const flags = ['ro', 'nosuid', 'nodev', 'noexec'] as const;
        plan.mounts.push({ type: 'bind', source, target: '/tmp', recursive: true, flags });
      });
      expect(stdout).toContain(
        'touch: /tmp/x: Read-only file system\ntouch: /tmp/below/x: Read-only file system\n',
      );
      const below = parseMounts(stdout).filter(({ target }) => target.startsWith('/tmp'));
      expect(below.map(({ target, options }) => [target, ...flagsOf(options)])).toEqual([
        ['/tmp', 'ro', 'nosuid', 'nodev', 'noexec'],
        ['/tmp/below', 'ro', 'nosuid', 'nodev', 'noexec'],
      ]);
    } finally {
      umount(join(source, 'below'));
    }
  });
});

describe('F4: /proc and /sys are real directories (class of CVE-2019-19921, CVE-2023-27561)', () => {
  for (const [name, type] of [
    ['proc', 'proc'],
    ['sys', 'sysfs'],
  ] as const)
    kernelTest(`/${name} of the image is a link`, async () => {
      const image = busyboxRootfs(join(kit.directory, `${name}-link`));
      rmSync(join(image, name), { recursive: true });
      symlinkSync(outside, join(image, name));
      const landed = inMountNamespace(
        ({ fs, syscalls }, { target, type, outside }) => {
          syscalls.mount({ source: 'none', target, type });
          return fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${outside} ${type} `);
        },
        { target: join(image, name), type, outside },
      );
      expect(landed).toBe(true);
      const { error } = await kit.shell('true', { rootfs: image });
      expect(error).toMatchObject({ code: 'LAUNCH_STEP_FAILED', message: expect.stringContaining('ELOOP') });
    });
});

describe('F6: no mount of a container reaches the host', () => {
  // A host as systemd leaves it: everything shared.
  kernelTest('on a host whose tree is shared', async () => {
    const target = join(kit.directory, 'target');
    mkdirSync(target);
    const { leaked, after } = inNamespaces(
      ['--mount', '--propagation=private'],
      async ({ fs, childProcess, syscalls: { mount, umount, MS } }, { kitModule, target, rootfs }) => {
        mount({ target: '/', flags: MS.MS_SHARED | MS.MS_REC });
        const table = () => fs.readFileSync('/proc/self/mountinfo', 'utf8');
        const before = table();
        const naive = ['--mount', '--propagation=unchanged', 'mount', '-t', 'tmpfs', 'none', target];
        childProcess.spawnSync('unshare', naive);
        const leaked = table() !== before;
        if (leaked) umount(target);
        const { LaunchKit } = await import(kitModule);
        const kit = await LaunchKit.create();
        const outcomes = [await kit.shell('true', { rootfs }), await kit.shell('true')];
        const after = { same: table() === before, exitCodes: outcomes.map(({ exitCode }) => exitCode) };
        kit.close();
        return { leaked, after };
      },
      { kitModule: new URL('./launch-kit.js', import.meta.url).href, target, rootfs },
    );
    expect(leaked).toBe(true);
    expect(after).toEqual({ same: true, exitCodes: [0, 0] });
  });
});
