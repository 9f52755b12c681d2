import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxRootfs, exchangeForEver } from '@caisson/linux/testing';
import { describe, expect } from '@jest/globals';
import { devicesIn, KINDS, plant, snapshot } from './hostile-places.js';
import type { Outcome } from './launch-kit.js';
import { kernelTest, type RootfsSetup, useRootfs } from './rootfs-setup.js';

let { kit, rootfs, outside } = {} as RootfsSetup;
useRootfs((setup) => {
  ({ kit, rootfs, outside } = setup);
});

/** All of the host that a launch must leave as it is. */
const host = () => ({
  outside: snapshot(outside),
  mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
  devices: devicesIn(kit.directory),
});

const launchIn = (place: string): Promise<Outcome> => {
  const read = `cat ${place}/canary ${place}/sub/canary ${outside}/canary 2>/dev/null`;
  const script = `${read}; { true > ${place}/written; } 2>/dev/null; pwd -P`;
  return kit.shell(script, { rootfs, ...(place === '/work' && { workingDirectory: place }) });
};

/** `inside`, or the errno of the step that ended the launch. */
function resultOf({ error, exitCode, stdout }: Outcome): string {
  if (!error) return exitCode === 0 && stdout === '/\n' ? 'inside' : `exit ${exitCode}: ${stdout}`;
  const [, step, errno] = /step ([\w-]+): .*: (E[A-Z]+) \(/.exec(error.message) ?? [];
  return error.code === 'LAUNCH_STEP_FAILED' && step ? String(errno) : error.message;
}

// In the order of KINDS: three ways to the host, `/`, a magic link, itself, a file, a FIFO.
const LINK_REFUSED = 'ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP ENOTDIR ENOTDIR';
const RESOLVED_INSIDE = 'ELOOP ELOOP ELOOP inside ELOOP ELOOP ENOTDIR ENOTDIR';
const EXPECTED: Readonly<Record<string, string>> = {
  '/proc': LINK_REFUSED,
  '/sys': LINK_REFUSED,
  '/dev': RESOLVED_INSIDE,
  '/mnt/mesos': LINK_REFUSED,
  '/mnt/mesos/sandbox': RESOLVED_INSIDE,
  '/work': 'ENOENT ENOENT ENOENT inside inside ELOOP ENOTDIR ENOTDIR',
};

describe('an image with something else where the launch mounts or starts', () => {
  for (const [place, results] of Object.entries(EXPECTED))
    Object.keys(KINDS).forEach((kind, index) => {
      const result = results.split(' ')[index];
      kernelTest(`${place} as ${kind}: ${result}, nothing outside is touched`, async () => {
        rmSync(rootfs, { recursive: true });
        plant(busyboxRootfs(rootfs), place, kind, outside);
        const before = host();
        expect(resultOf(await launchIn(place))).toBe(result);
        expect(host()).toEqual(before);
      });
    });
});

describe('an image whose names are exchanged while it is launched (RENAME_EXCHANGE)', () => {
  const LAUNCHES = 170; // of each, so 1,020 in all
  const attacks: [place: string, to: string][] = [
    ['/mnt/mesos/sandbox', 'the host'],
    ['/mnt/mesos', 'the host'],
    ['/proc', 'the host'],
    ['/dev', 'the host'],
    ['/dev', '/mnt/mesos/sandbox'],
    ['/work', 'the host'],
  ];
  for (const [place, to] of attacks)
    kernelTest(`${place} with a link to ${to}: nothing outside is touched`, async () => {
      rmSync(rootfs, { recursive: true });
      mkdirSync(join(busyboxRootfs(rootfs), place), { recursive: true });
      for (const path of ['mnt/mesos/sandbox', 'work']) mkdirSync(join(rootfs, path), { recursive: true });
      symlinkSync(to === 'the host' ? outside : to, join(rootfs, 'link'));
      const before = host();
      const attacker = exchangeForEver(join(rootfs, place), join(rootfs, 'link'));
      const results = new Map<string, number>();
      try {
        for (let i = 0; i < LAUNCHES; i++) {
          const outcome = await launchIn(place);
          const result = resultOf(outcome).replace(/^exit 0: \/(work|link)\n$/, 'inside');
          results.set(result, (results.get(result) ?? 0) + 1);
        }
      } finally {
        attacker.stop();
      }
      expect(host()).toEqual(before);
      // A clear failure or a launch that stayed inside, and of this many launches some of each.
      for (const result of results.keys()) expect(result).toMatch(/^(inside|E[A-Z]+)$/);
      expect(results.get('inside')).toBeGreaterThan(0);
    });
});
