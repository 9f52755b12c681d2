import { isErrno } from '../errors.js';
import type { Cgroup } from './cgroup.js';
import type { Hierarchy } from './hierarchy.js';
import { readMark, writeMark } from './mark.js';
import { componentsOf, parentPath } from './paths.js';

/** A mark that no runtime directory is: the cgroup that all containers are below was made by us. */
const ROOT_MARK = 'root';

/** True if it was made, false if it was there. */
export function makeIfAbsent(cgroup: Cgroup): boolean {
  try {
    cgroup.create();
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** What others made (an operator, with limits for all containers; systemd) is used and never removed. */
export function makeRoot(hierarchy: Hierarchy, root: string): void {
  for (const cgroup of rootCgroups(hierarchy, root)) if (makeIfAbsent(cgroup)) writeMark(cgroup, ROOT_MARK);
}

const rootCgroups = (hierarchy: Hierarchy, root: string): Cgroup[] =>
  componentsOf(root).map((_, index, all) => hierarchy.cgroup(all.slice(0, index + 1).join('/')));

/** @param unmarkedToo  a launch that made it may have been cut off before it was marked */
export function removeRoot(hierarchy: Hierarchy, root: string, unmarkedToo: boolean): void {
  for (const cgroup of rootCgroups(hierarchy, root).reverse()) {
    const mark = readMark(cgroup);
    if (mark !== ROOT_MARK && !(mark === undefined && unmarkedToo && isUnused(cgroup))) return;
    if (!removedIfEmpty(cgroup)) return; // there are other containers
  }
}

/** What was made only because a nested one is below it. */
export function removeUnmarkedAbove({ hierarchy, path }: Cgroup, root: string): void {
  for (let above = parentPath(path); above !== root; above = parentPath(above)) {
    const cgroup = hierarchy.cgroup(above);
    if (readMark(cgroup) !== undefined || !removedIfEmpty(cgroup)) return;
  }
}

function removedIfEmpty(cgroup: Cgroup): boolean {
  try {
    cgroup.removeDirectory();
    return true;
  } catch (error) {
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY', 'ENOENT')) return false;
    throw error;
  }
}

export const isOurRoot = (cgroup: Cgroup): boolean => readMark(cgroup) === ROOT_MARK || !cgroup.exists();
export const isUnused = (cgroup: Cgroup): boolean => cgroup.exists() && cgroup.allPids().length === 0;
