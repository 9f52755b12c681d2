import { closeSync, readlinkSync } from 'node:fs';
import { isImage } from '@caisson/linux/exec-stage';
import { pollReadable } from '@caisson/linux/syscalls';
import { oldestChild } from './children.js';

/** True if a container's command was executed and still runs. False leaves it open: the container's end will tell. */
export function runsCommand(pid: number, pidfd: number, isInit: boolean): boolean {
  if (!isInit) return hasExecuted(pid, pidfd);
  const command = oldestChild(pid);
  if (!command) return false;
  try {
    return hasExecuted(command.pid, command.pidfd);
  } finally {
    closeSync(command.pidfd);
  }
}

/**
 * A dying process has closed its descriptors before its pidfd tells, so it is asked for its executable: gone by then, or still
 * the image.
 */
function hasExecuted(pid: number, pidfd: number): boolean {
  const executable = executableOf(pid);
  // After that: the number was its own when it was asked by it.
  const ended = pollReadable(pidfd, 0);
  return !ended && executable !== undefined && !isImage(executable);
}

function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined; // it is dying, or gone
  }
}
