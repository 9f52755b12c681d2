import type { ResultReference } from '@caisson/linux/exec-stage';

interface HeldMount {
  readonly target: string;
  readonly tree: ResultReference | number;
}

export const isAtOrBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);

/**
 * The filesystems that a launch has mounted, by the descriptors that fsmount(2) gave.
 *
 * A name in a root filesystem can be exchanged for another between two calls, by a process of an earlier container that
 * still runs in it. Seen: with /proc exchanged after its mount, the paths to mask and to make read-only were "absent" in 17 of
 * 100 launches, and the container wrote /proc/sys/kernel/core_pattern. A descriptor stays what it is.
 */
export class HeldMounts {
  #mounts: HeldMount[] = [];

  /** A mount covers what is mounted at its target and below: nothing is looked up there any more. */
  cover(target: string): void {
    this.#mounts = this.#mounts.filter((mount) => !isAtOrBelow(mount.target, target));
  }

  /** Takes out those at a target and below, for as long as `body` runs. */
  without<T>(target: string, body: () => T): T {
    const all = this.#mounts;
    this.#mounts = all.filter((mount) => !isAtOrBelow(mount.target, target));
    try {
      return body();
    } finally {
      this.#mounts = all;
    }
  }

  hold(target: string, tree: ResultReference | number): void {
    this.#mounts.push({ target, tree });
  }

  /** The deepest one that a path lies in, and the way on from there (`.` for the mount itself). */
  above(path: string): { tree: ResultReference | number; below: string } | undefined {
    const [deepest] = this.#mounts
      .filter(({ target }) => isAtOrBelow(path, target))
      .sort((a, b) => b.target.length - a.target.length);
    if (!deepest) return undefined;
    return { tree: deepest.tree, below: path.slice(deepest.target.length).replace(/^\/+/, '') || '.' };
  }

  /** For tests: as if nothing were held. */
  forget(): void {
    this.#mounts = [];
  }
}
