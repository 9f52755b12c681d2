import { readlinkSync } from 'node:fs';
import { isImage } from '@caisson/linux/exec-stage';
import { pollReadable } from '@caisson/linux/syscalls';

/**
 * True if a process has executed its command and still runs. A dying one has closed its descriptors before its pidfd
 * tells, so it is asked for its executable: gone by then, or the image, which an init goes on with. False leaves it open:
 * its end will tell.
 */
export function runsCommand(pid: number, pidfd: number, isInit: boolean): boolean {
  const executable = executableOf(pid);
  // After that: the number was its own when it was asked by it.
  const ended = pollReadable(pidfd, 0);
  return !ended && executable !== undefined && isImage(executable) === isInit;
}

function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined; // it is dying, or gone
  }
}
