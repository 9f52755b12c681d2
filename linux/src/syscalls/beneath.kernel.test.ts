import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { asRoot, exchangeForEver, withCensus } from '../testing/index.js';
import { makeDirectoriesBeneath, openDirectory, openDirectoryBeneath } from './beneath.js';

const kernelTest = asRoot(test);
withCensus();

describe('directories below one that a container writes to', () => {
  let directory = '';
  let box = -1;
  const inBox = (path: string) => join(directory, 'box', path);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caisson-beneath-'));
    mkdirSync(join(directory, 'box'));
    mkdirSync(join(directory, 'outside'));
    box = openDirectory(join(directory, 'box'));
  });
  afterEach(() => {
    closeSync(box);
    rmSync(directory, { recursive: true });
  });

  const OWN = { mode: 0o1777, uid: 1000, gid: 1001 };
  const make = (path: string, ...how: [last?: typeof OWN, above?: typeof OWN]) =>
    closeSync(makeDirectoriesBeneath(box, path, how[0] ?? OWN, how[1]));
  const modeOf = (path: string) => {
    const { mode, uid, gid } = statSync(inBox(path));
    return { mode: mode & 0o7777, uid, gid };
  };

  kernelTest('are made with their mode and owner, those on the way with others', () => {
    const above = { mode: 0o755, uid: 7, gid: 8 };
    make('./a//b/c/', OWN, above);
    expect([modeOf('a'), modeOf('a/b'), modeOf('a/b/c')]).toEqual([above, above, OWN]);
  });

  kernelTest('that are there stay as they are', () => {
    mkdirSync(inBox('a'), { mode: 0o700 });
    make('a/b');
    expect([modeOf('a'), modeOf('a/b')]).toEqual([{ mode: 0o700, uid: 0, gid: 0 }, OWN]);
    const fd = openDirectoryBeneath(box, 'a/b');
    expect(fstatSync(fd).ino).toBe(statSync(inBox('a/b')).ino);
    closeSync(fd);
  });

  kernelTest('F1: a link, an absolute path, a way out are refused', () => {
    symlinkSync(join(directory, 'outside'), inBox('link'));
    expect(() => make('link/x')).toThrow('ELOOP');
    expect(() => openDirectoryBeneath(box, 'link')).toThrow('ELOOP');
    expect(() => make('../outside/x')).toThrow('EXDEV');
    expect(() => openDirectoryBeneath(box, directory)).toThrow('EXDEV');
    expect(existsSync(join(directory, 'outside/x'))).toBe(false);
  });

  /** The names change while they are looked at: the directory may be missed now and then, not for ever. */
  function seen(owner: number, paths: readonly string[]): boolean {
    for (let looks = 0; looks < 1000; looks++)
      if (paths.some((path) => statSync(path, { throwIfNoEntry: false })?.uid === owner)) return true;
    return false;
  }

  kernelTest('F1: what is put in the place of one just made gets no other owner', () => {
    const [made, foreign] = [inBox('made'), inBox('foreign')];
    mkdirSync(join(foreign, 'full'), { recursive: true });
    const before = { mode: 0o711, uid: 4, gid: 4 };
    chownSync(foreign, before.uid, before.gid);
    chmodSync(foreign, before.mode);
    const attacker = exchangeForEver(made, foreign);
    try {
      for (let tries = 0; tries < 500; tries++) {
        try {
          make('made');
        } catch (error) {
          expect(error).toMatchObject({ code: 'ESTALE' });
        }
        expect(seen(4, [made, foreign])).toBe(true);
        for (const path of [made, foreign]) tryToRemove(path);
      }
    } finally {
      attacker.stop();
    }
  });
});

/** It may be the other's name by now. */
function tryToRemove(path: string): void {
  try {
    if (statSync(path).uid !== 4) rmdirSync(path);
  } catch {
    // exchanged
  }
}
