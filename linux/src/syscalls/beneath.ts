import { closeSync, fchmodSync, fchownSync, fstatSync } from 'node:fs';
import { constants } from 'node:os';
import { isErrno, SyscallError } from '../errors.js';
import { mkdirat, openat2 } from './files.js';
import { AT_FDCWD, O, RESOLVE } from './flags.js';

const { O_RDONLY, O_DIRECTORY } = O;
const { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } = RESOLVE;

/** What a new directory shall be. */
export interface NewDirectory {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A directory whose path nobody but root can change. @throws SyscallError  ENOENT; ENOTDIR */
export const openDirectory = (path: string): number => openat2(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

/**
 * A directory below one that a container writes to: hostile at every moment, so no link is followed, and none of the path
 * leads out (threat model F1).
 *
 * @throws SyscallError  ELOOP a link; EXDEV out of `dirfd`; ENOENT; ENOTDIR
 */
export const openDirectoryBeneath = (dirfd: number, path: string): number =>
  openat2(dirfd, path === '' ? '.' : path, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

/** Nobody but root can have put anything into it, nor another one in its place. */
const JUST_MADE = 0o700;

/**
 * mkdir -p below a directory that a container writes to, part by part on the parent's descriptor, without links. What exists stays
 * as it is; what is made gets mode and owner, `above` those on the way.
 *
 * @returns a descriptor of the last directory; the caller closes it
 * @throws SyscallError  as openDirectoryBeneath; ESTALE another directory was put in the place of one just made
 */
export function makeDirectoriesBeneath(
  dirfd: number,
  path: string,
  last: NewDirectory,
  above: NewDirectory = last,
): number {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  let directory = openDirectoryBeneath(dirfd, '.');
  for (const [index, name] of names.entries()) {
    const parent = directory;
    try {
      directory = makeDirectory(parent, name, index === names.length - 1 ? last : above);
    } finally {
      closeSync(parent);
    }
  }
  return directory;
}

function makeDirectory(parent: number, name: string, { mode, uid, gid }: NewDirectory): number {
  if (!isMade(parent, name)) return openDirectoryBeneath(parent, name);
  const fd = openDirectoryBeneath(parent, name);
  try {
    const made = fstatSync(fd);
    // A container may have renamed one of its own, or of ours, to this name: it must not get another owner or mode.
    if (made.uid !== process.geteuid?.() || (made.mode & 0o7777) !== JUST_MADE)
      throw new SyscallError('mkdirat', constants.errno.ESTALE, { dirfd: parent, path: name });
    fchownSync(fd, uid, gid);
    fchmodSync(fd, mode);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** False if there is something of this name already. */
function isMade(parent: number, name: string): boolean {
  try {
    mkdirat(parent, name, JUST_MADE);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}
