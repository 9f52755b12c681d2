import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Container, PersistentVolume } from '@caisson/plugin-sdk';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/** A directory that stays the same whatever becomes of its name. */
export interface HeldDirectory {
  /** For another process, as its working directory. */
  readonly path: string;
  /** Undefined where there are no descriptors that lead anywhere: not on Linux. */
  readonly fd?: number | undefined;
  close(): void;
}

const unheld = (path: string): HeldDirectory => ({ path, close() {} });

const held = (fd: number): HeldDirectory => ({
  path: `/proc/${process.pid}/fd/${fd}`,
  fd,
  close: () => closeSync(fd),
});

/**
 * The sandbox that stands at the top, and the parts of the way from there. A nested sandbox is
 * `<parent sandbox>/containers/<name>`: in a tree that the parent writes.
 */
export function wayToSandbox({ id, sandbox }: Pick<Container, 'id' | 'sandbox'>): {
  base: string;
  parts: string[];
} {
  let base = sandbox;
  const parts: string[] = [];
  for (
    let levels = id.split('.').length - 1;
    levels > 0 && basename(dirname(base)) === 'containers';
    levels -= 1
  ) {
    parts.unshift('containers', basename(base));
    base = dirname(dirname(base));
  }
  return { base, parts };
}

/**
 * Opens a container's sandbox, following no link that a container could have made (threat model F7): on Linux part by
 * part, each through the descriptor of the one before, so that a renaming attacker gains nothing.
 *
 * Throws ENOENT, ELOOP or ENOTDIR of Node.
 */
export function holdSandbox(container: Pick<Container, 'id' | 'sandbox'>): HeldDirectory {
  if (process.platform !== 'linux') return unheld(container.sandbox);
  const { base, parts } = wayToSandbox(container);
  let fd = openSync(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  for (const part of parts) {
    const parent = fd;
    try {
      fd = openSync(`/proc/self/fd/${parent}/${part}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } finally {
      closeSync(parent);
    }
  }
  return held(fd);
}

/** Opens a persistent volume. The way there is the operator's; only where all of a filesystem is one may it end in a link. */
export function holdVolume(path: string, source: PersistentVolume['source']): HeldDirectory {
  if (process.platform !== 'linux') return unheld(path);
  return held(openSync(path, O_RDONLY | O_DIRECTORY | (source?.type === 'MOUNT' ? 0 : O_NOFOLLOW)));
}
