import { closeSync, realpathSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import { AT_EMPTY_PATH, AT_FDCWD, O, OPEN_TREE, openat2, openTree, RESOLVE } from '@caisson/linux/syscalls';
import { isBind, type LaunchPlanData } from '@caisson/plugin-sdk';
import { sourceSlot } from './steps/open-bind-sources.js';

const { O_DIRECTORY, O_PATH } = O;
const { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } = RESOLVE;
const { AT_RECURSIVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } = OPEN_TREE;

export const ROOTFS = 'rootfs';

interface HostTree {
  /** As the steps of the launch call it. */
  readonly name: string;
  readonly path: string;
  /** A path that somebody else may change at any moment, from `path` on. */
  readonly below?: string | undefined;
  readonly recursive: boolean;
}

/** What a container with a root filesystem of its own has of the host, in the order in which it is handed over. */
export function hostTrees({ rootfs, mounts }: LaunchPlanData): HostTree[] {
  const root = rootfs === undefined ? [] : [{ name: ROOTFS, path: rootfs, recursive: true }];
  const sources = mounts.flatMap((mount, index) =>
    isBind(mount)
      ? [{ name: sourceSlot(index), path: mount.source, below: mount.below, recursive: mount.recursive }]
      : [],
  );
  return [...root, ...sources];
}

/**
 * Detached copies of them, close-on-exec, for a process that does not see the host (step leave-host). They are still what they were
 * on the host, peers of its mounts: the receiver makes them slaves before it mounts anything.
 *
 * @throws SyscallError  as open_tree(2), openat2(2); no descriptor is left then
 */
export function copyHostTrees(plan: LaunchPlanData): number[] {
  const copies: number[] = [];
  try {
    for (const tree of hostTrees(plan)) copies.push(copyOf(tree));
    return copies;
  } catch (error) {
    for (const fd of copies) closeSync(fd);
    throw error;
  }
}

function copyOf({ name, path, below, recursive }: HostTree): number {
  const isDirectory = below !== undefined || name === ROOTFS;
  const place = openResolved(path, O_PATH | (isDirectory ? O_DIRECTORY : 0));
  try {
    if (below === undefined) return copy(place, recursive);
    // No link, and no way out (threat model F1: CVE-2021-25741).
    const source = openat2(place, below, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    try {
      return copy(source, recursive);
    } finally {
      closeSync(source);
    }
  } finally {
    closeSync(place);
  }
}

/** Without a link in it, as it mostly is, a path need not be resolved; a link that comes in between is refused. */
function openResolved(path: string, flags: number): number {
  try {
    return openat2(AT_FDCWD, path, flags, RESOLVE_NO_SYMLINKS);
  } catch (error) {
    if (!isErrno(error, 'ELOOP')) throw error;
    return openat2(AT_FDCWD, realpathSync.native(path), flags, RESOLVE_NO_SYMLINKS);
  }
}

const copy = (fd: number, recursive: boolean): number =>
  openTree(fd, '', AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
