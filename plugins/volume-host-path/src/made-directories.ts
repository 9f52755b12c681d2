import { closeSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { isErrno } from '@caisson/linux';
import { isBelow } from '@caisson/linux/proc';
import {
  AT_REMOVEDIR,
  makeDirectoriesBeneath,
  openDirectory,
  openDirectoryBeneath,
  unlinkat,
} from '@caisson/linux/syscalls';
import { messageOf } from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/** Directories that were made for a volume: those of `below` from the first missing one on. */
export interface Made {
  /** Of the option `forceCreation`. */
  readonly base: string;
  readonly below: string;
  /** How many of them, from the end. */
  readonly count: number;
}

const MODE = 0o755;

/** Which paths containers use, in this process: a reload makes new isolators, and containers of the former still use theirs. */
const inUse = new Map<string, Set<string>>();

export function noteUse(id: string, paths: readonly string[]): void {
  const known = inUse.get(id) ?? new Set();
  for (const path of paths) known.add(normalize(path));
  if (known.size > 0) inUse.set(id, known);
}

export const stopUse = (id: string): void => void inUse.delete(id);

/**
 * mkdir -p below one of the allowed directories. Containers may write there, in their volumes: no link is followed (threat model F1).
 *
 * @param note  is called before
 * @throws VOLUME_SOURCE_REFUSED
 */
export function makeMissing(
  id: string,
  path: string,
  allowed: readonly string[],
  note: (made: Made) => void,
): Made | undefined {
  const wanted = normalize(path).replace(/(.)\/$/, '$1');
  const base = allowed.find((directory) => isBelow(wanted, directory));
  if (base === undefined) return undefined;
  mkdirSync(base, { recursive: true, mode: MODE });
  const below = relative(base, wanted);
  const made = { base, below, count: missingParts(base, below) };
  note(made);
  try {
    const { uid = 0, gid = 0 } = { uid: process.getuid?.(), gid: process.getgid?.() };
    inDirectory(base, (fd) => closeSync(makeDirectoriesBeneath(fd, below, { mode: MODE, uid, gid })));
  } catch (error) {
    throw errors.VOLUME_SOURCE_REFUSED(id, path, messageOf(error));
  }
  return made;
}

function missingParts(base: string, below: string): number {
  const parts = below.split('/').filter(Boolean);
  const present = parts.findIndex((_, index) => !existsSync(join(base, ...parts.slice(0, index + 1))));
  return present < 0 ? 0 : parts.length - present;
}

/** Removes what was made and is empty, from the inside out, unless another container has it as its volume. */
export function removeEmpty({ base, below, count }: Made): void {
  if (!existsSync(base)) return;
  inDirectory(base, (fd) => {
    let path = below;
    for (let left = count; left > 0; left -= 1) {
      if (isUsed(join(base, path)) || !isRemoved(fd, path)) return;
      path = dirname(path);
    }
  });
}

/** A volume of an empty directory goes on, when that is removed, as one in which nothing can be made. */
const isUsed = (path: string): boolean =>
  [...inUse.values()].some((paths) => [...paths].some((each) => isBelow(each, path)));

function isRemoved(base: number, path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  let parent: number | undefined;
  try {
    parent = openDirectoryBeneath(base, path.includes('/') ? dirname(path) : '.');
    unlinkat(parent, name, AT_REMOVEDIR);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'ENOTEMPTY', 'EBUSY', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  } finally {
    if (parent !== undefined) closeSync(parent);
  }
}

function inDirectory(path: string, action: (fd: number) => void): void {
  const fd = openDirectory(path);
  try {
    action(fd);
  } finally {
    closeSync(fd);
  }
}
