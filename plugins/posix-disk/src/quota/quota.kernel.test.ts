/**
 * Filesystems that count, on loop devices: btrfs with qgroups, ext4 and XFS with project quotas where the kernel has
 * them. A sandbox is what the filesystem counts, the kernel refuses what is too much, and nothing is walked.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, openSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  LOOP_KINDS,
  LoopFilesystem,
  type LoopKind,
  loopProblem,
  needs,
  withCensus,
} from '@caisson/linux/testing';
import { fakeContainer, ManualClock } from '@caisson/plugin-sdk/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DuMeter } from '../du/du-meter.js';
import { findProgram } from '../host.js';
import { searchTree } from './btrfs-ioctls.js';
import { BtrfsMeter } from './btrfs-meter.js';
import { findQuotaMeter } from './find-meter.js';
import type { QuotaMeter } from './meter.js';

const MIB = 2 ** 20;
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
let filesystem: LoopFilesystem | undefined;
afterEach(() => {
  filesystem?.remove();
  filesystem = undefined;
});
// After ours: the census is taken once everything is unmounted.
withCensus();

const findMeter = (directory: string, limitsFiles = false) =>
  findQuotaMeter({
    directory,
    projectIds: { first: 5000, last: 10_000 },
    limitsFiles,
    clock: new ManualClock(),
  });

/** A container whose sandbox is in a guard directory, as the core makes them. */
function containerOn(filesystem: LoopFilesystem, id: string) {
  const guard = join(filesystem.path, 'containers', id);
  mkdirSync(join(guard, 'sandbox'), { recursive: true, mode: 0o750 });
  return fakeContainer({ id, sandbox: join(guard, 'sandbox') });
}

/**
 * What a program is told that writes so many MiB: root without CAP_SYS_RESOURCE, as root of a container is, since with it ext4
 * holds nobody to a quota.
 */
function write(directory: string, name: string, megabytes: number): string {
  const { stderr } = spawnSync(
    'setpriv',
    [
      ...['--inh-caps=-sys_resource', '--bounding-set=-sys_resource', 'dd'],
      ...['if=/dev/zero', `of=${name}`, 'bs=1M', `count=${megabytes}`, 'conv=fsync'],
    ],
    {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  return stderr;
}

const noTaken = () => false;

/** XFS answers as if the disk were full: for projects that is what they are for (xfs_quota(8)). */
const REFUSALS: Record<LoopKind, RegExp> = {
  btrfs: /Disk quota exceeded/,
  ext4: /Disk quota exceeded/,
  xfs: /No space left on device|Disk quota exceeded/,
};

const testOf = (kind: LoopKind): typeof test =>
  needs(test, { root: true, programs: ['setpriv'], host: () => loopProblem(kind) });

// What each has to do.
for (const kind of LOOP_KINDS) {
  const kernelTest = testOf(kind);
  describe(kind, () => {
    let filesystem: LoopFilesystem;
    let meter: QuotaMeter;
    beforeAll(() => {
      if (kernelTest !== test) return;
      filesystem = new LoopFilesystem(kind);
      const found = findMeter(filesystem.path);
      if (typeof found === 'string') throw new Error(found);
      meter = found;
    });
    afterAll(() => {
      meter?.end();
      filesystem?.remove();
    });

    kernelTest('the kernel refuses what is more than the quota, and counts what there is', async () => {
      const it = containerOn(filesystem, 'limited');
      const account = meter.open(it, noTaken);
      meter.limit(account, { bytes: 4 * MIB, files: 0 });
      expect(write(it.sandbox, 'fits', 2)).not.toMatch(/error|failed/);
      expect(write(it.sandbox, 'does-not', 8)).toMatch(REFUSALS[kind]);
      const { usedBytes } = await meter.read(account, 0);
      expect(usedBytes).toBeGreaterThan(2 * MIB);
      expect(usedBytes).toBeLessThanOrEqual(4 * MIB);
      meter.limit(account, { bytes: 16 * MIB, files: 0 });
      expect(write(it.sandbox, 'fits-now', 8)).not.toMatch(/error|failed/);
      meter.close(account);
      expect(write(it.sandbox, 'as-much-as-it-likes', 12)).not.toMatch(/error|failed/);
    });

    kernelTest('a sandbox keeps its owner and mode, and can be removed as any directory', () => {
      const it = containerOn(filesystem, 'owned');
      chownSync(it.sandbox, 1234, 5678);
      chmodSync(it.sandbox, 0o750);
      const account = meter.open(it, noTaken);
      const { uid, gid, mode } = statSync(it.sandbox);
      expect([uid, gid, mode & 0o7777]).toEqual([1234, 5678, 0o750]);
      meter.close(account);
      rmdirSync(it.sandbox);
      meter.close(account);
    });

    kernelTest('a sandbox that is not empty cannot be counted from the start', () => {
      const it = containerOn(filesystem, 'used');
      writeFileSync(join(it.sandbox, 'file'), '');
      expect(() => meter.open(it, noTaken)).toThrow(expect.objectContaining({ code: 'QUOTA_SANDBOX_USED' }));
    });

    kernelTest('without quotas it does not count, and says how to have them', () => {
      const without = new LoopFilesystem(kind, false);
      try {
        expect(findMeter(without.path)).toMatch(
          new RegExp(`${without.path} .*mounted with the option prjquota|btrfs quota enable ${without.path}`),
        );
      } finally {
        without.remove();
      }
    });

    kernelTest(
      'who is to have so many files and no more is held to it, or it is said that he cannot be',
      () => {
        const limiting = findMeter(filesystem.path, true);
        if (kind === 'btrfs') {
          expect(limiting).toMatch(/number of files/);
          return;
        }
        const it = containerOn(filesystem, 'files');
        const account = (limiting as QuotaMeter).open(it, noTaken);
        (limiting as QuotaMeter).limit(account, { bytes: undefined, files: 3 });
        expect(write(it.sandbox, 'a', 0)).not.toMatch(/error|failed/);
        expect(write(it.sandbox, 'b', 0)).not.toMatch(/error|failed/);
        expect(write(it.sandbox, 'c', 0)).toMatch(REFUSALS[kind]);
        (limiting as QuotaMeter).close(account);
        (limiting as QuotaMeter).end();
      },
    );

    kernelTest('two sandboxes are counted apart', async () => {
      const [one, other] = ['one', 'other'].map((id) => containerOn(filesystem, id)) as [
        ReturnType<typeof containerOn>,
        ReturnType<typeof containerOn>,
      ];
      const account = meter.open(one, noTaken);
      const otherAccount = meter.open(other, (each) => JSON.stringify(each) === JSON.stringify(account));
      expect(otherAccount).not.toEqual(account);
      write(one.sandbox, 'file', 3);
      expect((await meter.read(account, 0)).usedBytes).toBeGreaterThan(3 * MIB - 1);
      expect((await meter.read(otherAccount, 0)).usedBytes).toBeLessThan(MIB);
      meter.close(account);
      meter.close(otherAccount);
    });
  });
}

const btrfsTest = testOf('btrfs');
describe('what only btrfs has', () => {
  const mounted = (): LoopFilesystem => {
    filesystem = new LoopFilesystem('btrfs');
    return filesystem;
  };

  btrfsTest(
    'subvolumes that a container makes are counted, and told apart: the kernel does not hold them',
    async () => {
      const { path } = mounted();
      const meter = findMeter(path) as QuotaMeter;
      const it = containerOn(filesystem as LoopFilesystem, 'web');
      const account = meter.open(it, noTaken);
      meter.limit(account, { bytes: 2 * MIB, files: 0 });
      run('btrfs', 'subvolume', 'create', join(it.sandbox, 'own'));
      run('btrfs', 'subvolume', 'create', join(it.sandbox, 'own/deeper'));
      // The attack: what is written there the kernel does not refuse, and du -x does not see.
      expect(write(join(it.sandbox, 'own/deeper'), 'file', 8)).not.toMatch(/error|failed/);
      expect(Number.parseInt(run('du', '-skx', it.sandbox), 10)).toBeLessThan(1024);
      const { usedBytes, unboundBytes } = await meter.read(account, 0);
      expect(unboundBytes).toBeGreaterThan(8 * MIB);
      expect(usedBytes).toBeGreaterThan(8 * MIB);
      meter.close(account);
      meter.end();
    },
  );

  btrfsTest('a subvolume that is gone leaves no count behind', async () => {
    const { path } = mounted();
    const meter = findMeter(path) as QuotaMeter;
    const it = containerOn(filesystem as LoopFilesystem, 'web');
    const account = meter.open(it, noTaken);
    meter.close(account);
    rmdirSync(it.sandbox);
    // btrfs takes it apart on its own time; the count goes with the next container that ends after that.
    const isCounted = () => /^0\/25[6-9]|stale/m.test(run('btrfs', 'qgroup', 'show', '--raw', path));
    expect(isCounted()).toBe(true);
    while (isCounted()) {
      await sleep(50);
      meter.close(account);
      run('sync', '-f', path);
    }
    expect(await meter.read(account, 0)).toMatchObject({ problem: expect.stringContaining('does not know') });
    meter.end();
  });

  btrfsTest('500 sandboxes are read for less than a fiftieth of the work of du', async () => {
    const { path } = mounted();
    const FILES = 3;
    const work = { searches: 0, syncs: 0 };
    const fd = openSync(path, 'r');
    const meter = new BtrfsMeter({
      fd,
      clock: new ManualClock(),
      search: (...question) => {
        work.searches += 1;
        return searchTree(...question);
      },
      sync: async () => {
        work.syncs += 1;
        run('sync', '-f', path);
      },
    });
    const containers = Array.from({ length: 500 }, (_, n) =>
      containerOn(filesystem as LoopFilesystem, `c${n}`),
    );
    const accounts = containers.map((each) => meter.open(each));
    for (const { sandbox } of containers)
      for (let n = 0; n < FILES; n++) writeFileSync(join(sandbox, `file${n}`), 'x'.repeat(100));

    const quotaStart = performance.now();
    const figures = await Promise.all(accounts.map((account) => meter.read(account, 1)));
    const quotaMs = performance.now() - quotaStart;
    for (const { usedBytes, problem } of figures) {
      expect(usedBytes).toBeGreaterThan(0);
      expect(problem).toBeUndefined();
    }

    const du = new DuMeter(findProgram('du') as string, 60_000);
    const signal = new AbortController().signal;
    const duStart = performance.now();
    // A few of them: in an emulated machine all would take minutes.
    for (const each of containers.slice(0, 10))
      await du.measure({ subject: each, directory: each.sandbox, excludes: [], countFiles: false, signal });
    const duMs = performance.now() - duStart;
    console.log(
      `500 sandboxes of ${FILES} files by quota: ${quotaMs.toFixed(1)} ms; 10 by du: ${duMs.toFixed(1)} ms`,
    );
    // Three trees and a sync for all, in a few calls each, against a process for each, and in it a call for each file.
    const ofDu = 500 + 500 * (1 + FILES);
    expect(work).toEqual({ searches: 3, syncs: 1 });
    expect(work.searches + work.syncs).toBeLessThan(ofDu / 50);
    meter.end();
  });

  btrfsTest(
    'who asks for one that nobody has looked at yet waits for one look, with all others',
    async () => {
      const { path } = mounted();
      let syncs = 0;
      const meter = new BtrfsMeter({
        fd: openSync(path, 'r'),
        clock: new ManualClock(),
        sync: async () => {
          syncs += 1;
          run('sync', '-f', path);
        },
      });
      const old = meter.open(containerOn(filesystem as LoopFilesystem, 'old'));
      await meter.read(old, 1000);
      const accounts = ['a', 'b', 'c', 'd'].map((id) =>
        meter.open(containerOn(filesystem as LoopFilesystem, id)),
      );
      const figures = await Promise.all(accounts.map((each) => meter.read(each, 1000)));
      for (const { usedBytes, problem } of figures)
        expect([usedBytes > 0, problem]).toEqual([true, undefined]);
      expect(syncs).toBe(2);
      meter.end();
    },
  );
});
