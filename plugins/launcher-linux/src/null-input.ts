import { closeSync, constants, openSync } from 'node:fs';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  MOUNT_ATTR,
  mountAttributes,
  mountSetattr,
  OPEN_TREE,
  openTree,
} from '@caisson/linux/syscalls';

const { MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } = MOUNT_ATTR;

/**
 * The null device as a container's standard input, by a read-only mount of it in no namespace. Opened as it is, root of a
 * container could take the host's node away from everybody: `chmod 0 /proc/self/fd/0`.
 */
export class NullInput {
  #tree: number | undefined;

  /** Open for reading; the caller closes it. @throws SyscallError  EMFILE */
  open(): number {
    this.#tree ??= readOnlyNull();
    return openSync(`/proc/self/fd/${this.#tree}`, constants.O_RDONLY);
  }

  /** It can be used again after this. */
  close(): void {
    if (this.#tree !== undefined) closeSync(this.#tree);
    this.#tree = undefined;
  }
}

function readOnlyNull(): number {
  const tree = openTree(AT_FDCWD, '/dev/null', OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC);
  try {
    const flags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    mountSetattr(tree, '', AT_EMPTY_PATH, mountAttributes(flags));
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}
