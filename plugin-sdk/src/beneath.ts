import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats } from 'node:fs';
import { join } from 'node:path';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/** A directory that stays the same whatever happens to its path. */
export interface HeldDirectory {
  /** What is in it: `${path}/name`. */
  readonly path: string;
  /** The same for another process, as its working directory. */
  readonly pathForOthers: string;
  readonly stat: Stats;
  close(): void;
}

/**
 * Walks from `base`, which is trusted, through directories that a container writes: one by one, following no link
 * (threat model F1). On Linux through descriptors and /proc/self/fd, so a renaming attacker gains nothing; elsewhere
 * each part is only looked at first, which a race can beat.
 *
 * Throws ENOENT, ELOOP or ENOTDIR of Node.
 */
export function holdBeneath(base: string, parts: readonly string[]): HeldDirectory {
  return process.platform === 'linux' ? holdByDescriptor(base, parts) : holdByPath(base, parts);
}

function holdByDescriptor(base: string, parts: readonly string[]): HeldDirectory {
  let fd = openSync(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  for (const part of parts) {
    const parent = fd;
    try {
      fd = openSync(`/proc/self/fd/${parent}/${part}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } finally {
      closeSync(parent);
    }
  }
  return {
    path: `/proc/self/fd/${fd}`,
    pathForOthers: `/proc/${process.pid}/fd/${fd}`,
    stat: fstatSync(fd),
    close: () => closeSync(fd),
  };
}

function holdByPath(base: string, parts: readonly string[]): HeldDirectory {
  let path = base;
  for (const part of parts) {
    path = join(path, part);
    if (!lstatSync(path).isDirectory())
      throw Object.assign(new Error(`${path} is no directory`), { code: 'ENOTDIR' });
  }
  return { path, pathForOthers: path, stat: lstatSync(path), close: () => {} };
}
