import { closeSync, readFileSync } from 'node:fs';
import { O, openat2, RESOLVE } from '@caisson/linux/syscalls';
import type { HeldDirectory } from './held-directory.js';

/**
 * Which of these paths are mounts below a directory as it is now: persistent volumes, which have a quota of their own. A name
 * alone is not trusted: what a container puts in the place of its volume is part of its sandbox.
 *
 * @param paths  relative to the directory
 */
export function mountedBelow({ fd }: HeldDirectory, paths: readonly string[]): string[] {
  if (fd === undefined || paths.length === 0) return [];
  const own = mountOf(fd);
  return paths.filter((path) => {
    const mount = mountAt(fd, path);
    return mount !== undefined && mount !== own;
  });
}

function mountAt(directory: number, path: string): string | undefined {
  let fd: number;
  try {
    fd = openat2(
      directory,
      path,
      O.O_PATH | O.O_DIRECTORY,
      RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_SYMLINKS,
    );
  } catch {
    // Absent, or on the way a link: no mount of ours.
    return undefined;
  }
  try {
    return mountOf(fd);
  } finally {
    closeSync(fd);
  }
}

/** Which mount a descriptor is on (proc_pid_fdinfo(5)). */
const mountOf = (fd: number): string | undefined =>
  /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
