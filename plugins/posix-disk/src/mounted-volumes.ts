import { closeSync, openSync, readFileSync } from 'node:fs';
import { O, openat2, RESOLVE } from '@caisson/linux/syscalls';
import type { HeldDirectory } from '@caisson/plugin-sdk';

/**
 * Which of these paths are mounts below a directory as it is now: persistent volumes, which have a quota of their own. A name
 * alone is not trusted: what a container puts in the place of its volume is part of its sandbox.
 *
 * @param paths  relative to the directory
 */
export function mountedBelow({ path }: Pick<HeldDirectory, 'path'>, paths: readonly string[]): string[] {
  if (process.platform !== 'linux' || paths.length === 0) return [];
  const fd = openSync(path, 'r');
  try {
    const own = mountOf(fd);
    return paths.filter((each) => {
      const mount = mountAt(fd, each);
      return mount !== undefined && mount !== own;
    });
  } finally {
    closeSync(fd);
  }
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
