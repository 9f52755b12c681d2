/**
 * A file or directory of a sandbox, where the container makes whatever names it likes while we look (threat model A4, F1).
 *
 * Walked part by part through descriptors: what is opened is below the sandbox whatever is renamed meanwhile. Links are not
 * followed, other mounts not entered; a FIFO does not block, a device is not opened for good. The check by mount id also
 * sees a bind mount of the same filesystem, which st_dev does not.
 *
 * Node has no openat(2): a path below /proc/self/fd/<n> is one. Elsewhere than on Linux each part is only looked at
 * first, which a race can beat.
 *
 * Throws  FILE_UNKNOWN, FILE_REFUSED
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { apiErrors } from '../errors.js';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

export interface OpenFile {
  readonly fd: number;
  readonly stat: Stats;
  close(): void;
}

const isLinux = process.platform === 'linux';

/** @param parts  names below `base`, which is trusted; empty for the base itself */
export function openBeneath(base: string, parts: readonly string[], shown: string): OpenFile {
  try {
    const fd = isLinux ? walk(base, parts) : walkByPath(base, parts);
    return checked(fd, shown);
  } catch (error) {
    throw asFileError(error, shown);
  }
}

function walk(base: string, parts: readonly string[]): number {
  let fd = openSync(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const mount = mountOf(fd);
  for (const [index, part] of parts.entries()) {
    const above = fd;
    const isLast = index === parts.length - 1;
    try {
      fd = openSync(
        `/proc/self/fd/${above}/${part}`,
        O_RDONLY | O_NOFOLLOW | (isLast ? O_NONBLOCK : O_DIRECTORY),
      );
    } finally {
      closeSync(above);
    }
    if (mountOf(fd) !== mount) {
      closeSync(fd);
      throw Object.assign(new Error('on another filesystem'), { code: 'EXDEV' });
    }
  }
  return fd;
}

function walkByPath(base: string, parts: readonly string[]): number {
  const path = join(base, ...parts);
  for (let depth = 0; depth < parts.length; depth += 1)
    if (lstatSync(join(base, ...parts.slice(0, depth))).isSymbolicLink())
      throw Object.assign(new Error('a link'), { code: 'ELOOP' });
  return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

/** proc_pid_fdinfo(5): `mnt_id`. */
const mountOf = (fd: number): string | undefined =>
  /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];

function checked(fd: number, shown: string): OpenFile {
  const stat = fstatSync(fd);
  if (stat.isFile() || stat.isDirectory()) return { fd, stat, close: () => closeSync(fd) };
  closeSync(fd);
  throw apiErrors.FILE_REFUSED(shown, 'it is neither a file nor a directory');
}

const REASONS: Readonly<Record<string, string>> = {
  ELOOP: 'links are not followed',
  EXDEV: 'another filesystem is mounted there',
  ENXIO: 'it is neither a file nor a directory',
  ENAMETOOLONG: 'the name is too long',
  EACCES: 'the agent may not read it',
};

function asFileError(error: unknown, shown: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  // A link on the way is ENOTDIR, since a directory was asked for.
  if (code === 'ENOENT' || code === 'ENOTDIR') return apiErrors.FILE_UNKNOWN(shown);
  const reason = REASONS[code];
  return reason === undefined ? error : apiErrors.FILE_REFUSED(shown, reason);
}
