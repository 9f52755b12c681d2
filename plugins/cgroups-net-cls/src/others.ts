import { fstatSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import type { Cgroup, Hierarchy } from '@caisson/linux/cgroups';
import { close } from '@caisson/linux/syscalls';
import type { Handles } from './handles.js';

interface Seen {
  /** Tells one cgroup from the next of that name. */
  readonly inode: number;
  readonly classid: number;
}

const holderOf = (path: string): string => `the cgroup ${path}`;

/**
 * The network classes of cgroups that are not this isolator's: of other agents, of an earlier configuration of this one, of an
 * operator. The kernel knows them all, so none of them is given to a container; each is free again when its cgroup is gone.
 *
 * Every allocation looks again. What was seen before costs a stat; so does only what others have made.
 */
export class OthersHandles {
  readonly #seen = new Map<string, Seen>();

  constructor(private readonly handles: Handles) {}

  /** @param isOurs  whether the cgroup of a path is this isolator's */
  sync(hierarchy: Hierarchy, isOurs: (path: string) => boolean): void {
    const found = new Set<string>();
    this.#visit(hierarchy.cgroup(''), isOurs, found);
    for (const path of [...this.#seen.keys()]) if (!found.has(path)) this.#forget(path);
  }

  #visit(above: Cgroup, isOurs: (path: string) => boolean, found: Set<string>): void {
    for (const cgroup of above.children()) {
      if (isOurs(cgroup.path)) continue;
      const state = stateOf(cgroup);
      if (!state) continue;
      found.add(cgroup.path);
      this.#look(cgroup, state.inode);
      if (state.hasChildren) this.#visit(cgroup, isOurs, found);
    }
  }

  #look(cgroup: Cgroup, inode: number): void {
    const before = this.#seen.get(cgroup.path);
    // One without a class may be given one at any time.
    if (before?.inode === inode && before.classid !== 0) return;
    const classid = readClassid(cgroup) ?? 0;
    this.#seen.set(cgroup.path, { inode, classid });
    if (classid === 0) this.handles.letGo(holderOf(cgroup.path));
    else this.handles.hold(holderOf(cgroup.path), classid);
  }

  #forget(path: string): void {
    this.#seen.delete(path);
    this.handles.letGo(holderOf(path));
  }
}

/** 0 is none; undefined if the cgroup is gone. */
export function readClassid(cgroup: Cgroup): number | undefined {
  try {
    return cgroup.readNumber('net_cls.classid');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return undefined;
    throw error;
  }
}

/** A directory has a link for itself, one from above, and one from each below it. */
function stateOf(cgroup: Cgroup): { inode: number; hasChildren: boolean } | undefined {
  let fd: number;
  try {
    fd = cgroup.openDirectory();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return undefined;
    throw error;
  }
  try {
    const { ino, nlink } = fstatSync(fd);
    return { inode: ino, hasChildren: nlink > 2 };
  } finally {
    close(fd);
  }
}
