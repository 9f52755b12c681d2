/** du on trees that its author didn't think of. Usage equals what du says when it is run by hand, to the kilobyte. */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MS, mount, umount } from '@caisson/linux/syscalls';
import { needs, SLOWNESS, withCensus } from '@caisson/linux/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findProgram } from '../host.js';
import { DuMeter } from './du-meter.js';

const program = findProgram('du') as string;
const kernelTest: typeof test = needs(test, { programs: ['du', 'perl', 'xargs'] });
const rootTest: typeof test = needs(test, { root: true, programs: ['du'] });
const never = new AbortController().signal;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-du-'));
});
// Node's own way ends where paths are too long.
afterEach(() => void spawnSync('rm', ['-rf', '--', directory]));
withCensus({ reapOrphans: true });

const meter = new DuMeter(program, 60_000);
const measure = (more: Partial<Parameters<DuMeter['measure']>[0]> = {}) =>
  meter.measure({ subject: {}, directory, excludes: [], countFiles: false, signal: never, ...more });

/** As a person would. */
function byHand(what = directory): number {
  const { stdout } = spawnSync('du', ['-skx', what], { encoding: 'utf8' });
  return Number.parseInt(stdout, 10) * 1024;
}

const write = (name: string, bytes: number) => writeFileSync(join(directory, name), Buffer.alloc(bytes, 1));

describe('usage is what du says by hand', () => {
  kernelTest('of an empty directory', async () => {
    expect(await measure()).toEqual({ usedBytes: byHand(), problem: undefined });
  });

  kernelTest('with names that hold newlines, globs, tabs, numbers, and begin with a dash', async () => {
    for (const name of [
      'a\nb',
      '*',
      '[x]',
      '?',
      '9\t9',
      '12\t.',
      '-s',
      '--',
      ' ',
      '\u00e9\ud83d\ude00',
      '\\',
      '"',
    ]) {
      mkdirSync(join(directory, name));
      write(join(name, name), 5000);
    }
    expect(await measure({ countFiles: true })).toEqual({
      usedBytes: byHand(),
      files: 25,
      problem: undefined,
    });
  });

  kernelTest('with hard links, sparse files, links out and links in circles', async () => {
    write('file', 100_000);
    mkdirSync(join(directory, 'deep'));
    linkSync(join(directory, 'file'), join(directory, 'deep/again'));
    writeFileSync(join(directory, 'sparse'), '');
    truncateSync(join(directory, 'sparse'), 2 ** 33);
    symlinkSync('/usr', join(directory, 'out'));
    symlinkSync('..', join(directory, 'deep/circle'));
    const { usedBytes, problem } = await measure();
    expect(usedBytes).toBe(byHand());
    expect(usedBytes).toBeLessThan(200_000);
    expect(problem).toBeUndefined();
  });

  kernelTest('with a tree that is deeper than a path can be long', async () => {
    const deep =
      'chdir shift; for (1..300) { mkdir "d" x 40; chdir "d" x 40 or die } open F, ">", "file"; print F "x" x 9999';
    expect(spawnSync('perl', ['-e', deep, directory]).status).toBe(0);
    expect(await measure()).toEqual({ usedBytes: byHand(), problem: undefined });
  });

  kernelTest('without what is excluded, whatever its name', async () => {
    for (const name of ['vol', '*', 'a[b]c', 'deep']) {
      mkdirSync(join(directory, name));
      write(join(name, 'file'), 50_000);
    }
    // An exclude is a place, not a name that may be anywhere.
    mkdirSync(join(directory, 'deep/vol'));
    write('deep/vol/file', 50_000);
    const { usedBytes } = await measure({ excludes: ['vol', '*', 'a[b]c'] });
    rmSync(join(directory, 'vol'), { recursive: true });
    rmSync(join(directory, '*'), { recursive: true });
    rmSync(join(directory, 'a[b]c'), { recursive: true });
    expect(usedBytes).toBe(byHand());
    expect(usedBytes).toBeGreaterThan(100_000);
  });

  kernelTest('of 200,000 files, and in a time that is known', async () => {
    // In memory: it takes a disk longer to make them than du to count them.
    const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const many = mkdtempSync(join(place, 'caisson-du-'));
    const make = 'chdir shift; for $d (1..200) { mkdir $d; for (1..1000) { open F, ">", "$d/$_" or die } }';
    expect(spawnSync('perl', ['-e', make, many]).status).toBe(0);
    const start = performance.now();
    const { usedBytes, files } = await measure({ directory: many, countFiles: true });
    const ms = performance.now() - start;
    expect([usedBytes, files]).toEqual([byHand(many), 200_201]);
    expect(ms).toBeLessThan(20_000 * SLOWNESS);
    spawnSync('rm', ['-rf', '--', many]);
  });
});

describe('what is not seen', () => {
  rootTest('another filesystem, and what a mount hides', async () => {
    mkdirSync(join(directory, 'mounted'));
    mount({ source: 'tmpfs', target: join(directory, 'mounted'), type: 'tmpfs', flags: MS.MS_NOSUID });
    try {
      write('mounted/file', 2 ** 20);
      const { usedBytes } = await measure();
      expect(usedBytes).toBe(byHand());
      expect(usedBytes).toBeLessThan(2 ** 20);
    } finally {
      umount(join(directory, 'mounted'));
    }
  });

  kernelTest('a file that was deleted and is still open', async () => {
    const fd = openSync(join(directory, 'gone'), 'w');
    writeSync(fd, Buffer.alloc(2 ** 20, 1));
    unlinkSync(join(directory, 'gone'));
    expect((await measure()).usedBytes).toBeLessThan(2 ** 20);
    closeSync(fd);
  });
});

describe('a tree that changes while it is walked', () => {
  kernelTest('is measured without an error', async () => {
    for (let n = 0; n < 200; n++) mkdirSync(join(directory, `d${n}`));
    write('stays', 300_000);
    const churn = spawn(
      'sh',
      [
        '-c',
        'cd "$1" && while :; do for i in 1 2 3 4 5 6 7 8 9; do mkdir -p c$i/x/y; : > c$i/x/f; done; rm -rf c?; done',
        'sh',
        directory,
      ],
      { stdio: 'ignore', detached: true },
    );
    try {
      for (let round = 0; round < 20; round++) {
        const { usedBytes, problem } = await measure();
        expect(problem).toBeUndefined();
        expect(usedBytes).toBeGreaterThan(300_000);
      }
    } finally {
      process.kill(-(churn.pid as number), 'SIGKILL');
      await new Promise((resolve) => churn.once('exit', resolve));
    }
  });
});
