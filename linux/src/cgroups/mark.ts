import { isErrno } from '../errors.js';
import { close } from '../syscalls/files.js';
import { O } from '../syscalls/flags.js';
import { fgetxattr, fsetxattr } from '../syscalls/xattr.js';
import type { Cgroup } from './cgroup.js';
import { parentPath } from './paths.js';

/**
 * Whose cgroup it is, written on the cgroup itself: it is gone with it, is seen by every agent and isolator of the host,
 * and no crash leaves a note behind that lies. Processes of containers can't read or write it (trusted.*, xattr(7)).
 */
const ATTRIBUTE = 'trusted.caisson';
const PLACE = 'trusted.caisson.place';

/** Undefined if nobody has marked it, or it does not exist. */
export function readMark(cgroup: Cgroup): string | undefined {
  return onDirectory(cgroup, (fd) => fgetxattr(fd, ATTRIBUTE));
}

/** Whose it is: by its own mark, or that of the nearest one above it that has one. */
export function ownerOf(cgroup: Cgroup): string | undefined {
  const mark = readMark(cgroup);
  if (mark !== undefined || cgroup.path === '') return mark;
  return ownerOf(cgroup.hierarchy.cgroup(parentPath(cgroup.path)));
}

/** Where marks are not possible (no CAP_SYS_ADMIN in the first user namespace) the cgroup stays without. */
export function writeMark(cgroup: Cgroup, mark: string): void {
  onDirectory(cgroup, (fd) => fsetxattr(fd, ATTRIBUTE, mark));
}

/** Where else in the hierarchy the processes of a cgroup have gone, noted on it: as long as it is there, a later agent reads it. */
export function readPlace(cgroup: Cgroup): string | undefined {
  return onDirectory(cgroup, (fd) => fgetxattr(fd, PLACE));
}

export function writePlace(cgroup: Cgroup, place: Cgroup): void {
  onDirectory(cgroup, (fd) => fsetxattr(fd, PLACE, place.path));
}

function onDirectory<T>(cgroup: Cgroup, body: (fd: number) => T): T | undefined {
  let fd: number | undefined;
  try {
    fd = cgroup.openDirectory(O.O_RDONLY);
    return body(fd);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'EPERM', 'EOPNOTSUPP')) return undefined;
    throw error;
  } finally {
    if (fd !== undefined) close(fd);
  }
}
