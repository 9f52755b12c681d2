import {
  CallTable,
  type DataPointer,
  Label,
  type ResultReference,
  type Slot,
} from '@caisson/linux/exec-stage';
import { AT_FDCWD, O, openHow, RESOLVE } from '@caisson/linux/syscalls';
import type { BindMount, FileOperation, Mount } from '@caisson/plugin-sdk';
import { HeldMounts } from './held-mounts.js';

const { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH } = O;
const { RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } = RESOLVE;

/** One that an earlier record returned, or that the agent hands over. */
export type Descriptor = ResultReference | number;

/** How a path inside the container is resolved: with links of the image, or with none at all. */
export type Resolution = 'in-root' | 'no-links';

const RESOLUTIONS: Readonly<Record<Resolution, number>> = {
  'in-root': RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  'no-links': RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
};

/** Descriptors that every launch gives to the image; further ones follow from `FIRST_EXTRA`. */
export const DESCRIPTOR = { gate: 3, report: 4, image: 5, status: 6 } as const;
export const FIRST_EXTRA = 7;

/**
 * A table of system calls with what every step of a launch needs: the root that paths are resolved in, and the
 * descriptors that the agent hands over.
 */
export class LaunchTable extends CallTable {
  /** `/` of the container, once the step enter-rootfs or keep-root has run. */
  root: ResultReference | undefined;
  /** The first process, for the supervisor. */
  container: ResultReference | undefined;
  /** Filesystems of the plan that are mounted by now: what lies below one is looked up from there. */
  readonly held = new HeldMounts();
  /** Detached mounts of filesystems of the plan that have no place yet. */
  readonly filesystems = new Map<Mount, ResultReference>();
  /** Files that have been made already. */
  readonly made = new Set<FileOperation>();
  /** Detached copies of what is bound into the container. */
  readonly bindSources = new Map<BindMount, ResultReference>();
  /** Names of the descriptors that the agent opens for this launch, in the order of their numbers. */
  readonly extras: string[] = [];
  /** The byte that opened the gate. */
  readonly gateByte = this.memory(8);
  /** Where the parent goes on after a clone: the supervisor, who stays outside a pid namespace, its door, the init. */
  readonly supervisor = new Label('supervisor');
  readonly joiner = new Label('joiner');
  readonly door = new Label('door');
  readonly init = { start: new Label('init'), compare: new Label('is it the command') };
  /** For a process of the fork server, which gets what fills the slots while it runs. */
  received = false;
  /** Trees of filesystems may be put together while they have no place yet, with what is masked and read-only in them. */
  assemblesAhead = false;
  /** It sees nothing of the host (step leave-host): what it shall have of that comes with the launch. */
  letsGoOfHost = false;
  /** Detached copies of the host's trees that came, by their names (host-trees.ts). */
  readonly given = new Map<string, ResultReference>();
  /** Mounts that have their place in such a tree. */
  readonly placed = new Set<Mount>();
  /** Paths that are masked, or read-only, already. */
  readonly protectedPaths = new Set<string>();
  /** How many paths the command may have: one, or as many as PATH has directories. */
  candidates = 1;
  readonly #hows = new Map<string, DataPointer>();

  /** The number that the agent's descriptor of this name has in the image. */
  descriptor(name: string): number {
    const known = this.extras.indexOf(name);
    if (known >= 0) return FIRST_EXTRA + known;
    this.extras.push(name);
    return FIRST_EXTRA + this.extras.length - 1;
  }

  /**
   * openat2 (O_PATH) of a path inside the container: hostile at every moment, so never followed out of it, nor through
   * a magic link of /proc (threat model F1). Below a filesystem that we have mounted it starts there, without any link.
   */
  openInside(
    path: string,
    options: {
      resolution?: Resolution;
      directory?: boolean;
      tolerate?: readonly string[];
      orElse?: Label;
    } = {},
  ): ResultReference {
    const { resolution = 'in-root', directory = false, ...rest } = options;
    const { from, below, held } = this.startOf(path);
    // One name in a filesystem that is ours alone: nothing to resolve, and half the price.
    if (held && !below.includes('/')) {
      const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC | (directory ? O_DIRECTORY : 0);
      return this.call('openat', [from, this.string(below), flags, 0], rest);
    }
    const resolve = held ? RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS : RESOLUTIONS[resolution];
    const how = this.#how(O_PATH | (directory ? O_DIRECTORY : 0), resolve);
    return this.call('openat2', [from, this.string(below), how, 24], { ...rest, tryAgain: true });
  }

  /** Where the way to a path inside the container begins: at a filesystem that we hold, or at the root. */
  startOf(path: string): { from: Descriptor; below: string; held: boolean } {
    const above = this.held.above(path);
    return above
      ? { from: above.tree, below: above.below, held: true }
      : { from: this.#rootOrFail(), below: path, held: false };
  }

  /** openat2 (O_PATH) of a name, or a path, in a directory that we hold: no link, and no way out. */
  openChild(directory: Descriptor, name: string, kind: 'directory' | 'any'): ResultReference {
    const how = this.#how(
      O_PATH | (kind === 'directory' ? O_DIRECTORY : 0),
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    );
    return this.call('openat2', [directory, this.string(name), how, 24]);
  }

  /** openat2 (O_PATH) of a resolved path of the host: a link in it was put there since it was resolved. */
  openOnHost(path: Slot, kind: 'directory' | 'any'): ResultReference {
    const how = this.#how(O_PATH | (kind === 'directory' ? O_DIRECTORY : 0), RESOLVE_NO_SYMLINKS);
    return this.call('openat2', [AT_FDCWD, path, how, 24]);
  }

  #rootOrFail(): ResultReference {
    if (!this.root) throw new Error('a step opens a path inside the container before its root is known');
    return this.root;
  }

  #how(flags: number, resolve: number): DataPointer {
    const key = `${flags} ${resolve}`;
    let how = this.#hows.get(key);
    if (!how) {
      how = this.bytes(openHow(flags | O_CLOEXEC, resolve));
      this.#hows.set(key, how);
    }
    return how;
  }
}
