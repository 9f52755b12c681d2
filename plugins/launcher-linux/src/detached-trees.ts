import { closeSync } from 'node:fs';
import { FSCONFIG, fsconfig, fsmount, fsopen, MOVE_MOUNT, moveMount } from '@caisson/linux/syscalls';

const CLOEXEC = 1;
let known: boolean | undefined;

/**
 * Whether the kernel attaches a mount to one that is itself not attached yet: then /proc and /dev can be put together before
 * there is a root filesystem for them. Since Linux 6.15; asked by doing.
 */
export function attachesToDetached(): boolean {
  known ??= tries();
  return known;
}

function tries(): boolean {
  const trees: number[] = [];
  try {
    for (let count = 0; count < 2; count++) trees.push(emptyTree());
    const [tree, place] = trees as [number, number];
    moveMount(tree, '', place, '', MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH);
    return true;
  } catch {
    return false;
  } finally {
    for (const fd of trees) closeSync(fd);
  }
}

function emptyTree(): number {
  const context = fsopen('tmpfs', CLOEXEC);
  try {
    fsconfig(context, FSCONFIG.CMD_CREATE);
    return fsmount(context, CLOEXEC, 0);
  } finally {
    closeSync(context);
  }
}
