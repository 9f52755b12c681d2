import { closeSync, fstatSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import { makeDirectoriesBeneath, O, openat2, openDirectory, RESOLVE } from '@caisson/linux/syscalls';
import { messageOf } from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import type { SourcePlace } from './source-place.js';

const MODE = 0o755;
const { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } = RESOLVE;

/**
 * Makes the source of a volume where it is missing, for the user whose sandbox it is; what exists keeps its owner. Containers write
 * there at any moment, so by descriptor, and without links (threat model F1, F7).
 *
 * @throws VOLUME_NOT_MADE
 */
export function makeSource(
  id: string,
  { base, below, owner }: SourcePlace,
  path: string,
): 'directory' | 'file' {
  try {
    const held = openDirectory(base);
    try {
      return kindOf(held, below) ?? makeDirectory(held, below, owner);
    } finally {
      closeSync(held);
    }
  } catch (error) {
    throw errors.VOLUME_NOT_MADE(id, path, messageOf(error));
  }
}

/** Undefined if there is nothing. */
function kindOf(held: number, below: string): 'directory' | 'file' | undefined {
  try {
    const fd = openat2(held, below || '.', O.O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    try {
      return fstatSync(fd).isDirectory() ? 'directory' : 'file';
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function makeDirectory(held: number, below: string, owner: SourcePlace['owner']): 'directory' {
  const { uid, gid } = owner ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  closeSync(makeDirectoriesBeneath(held, below, { mode: MODE, uid, gid }));
  return 'directory';
}
