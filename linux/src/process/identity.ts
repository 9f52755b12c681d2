import { isErrno } from '../errors.js';
import { bootId } from '../proc/boot-id.js';
import { readStat } from '../proc/process-stat.js';
import { close } from '../syscalls/files.js';
import { fileHandle, pidfdOpen } from '../syscalls/processes.js';

/**
 * What names a process across restarts of the agent: a pid alone may have been given to another one since
 * (threat model N12). JSON.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly bootId: string;
  /** The file handle of its pidfd: unique for the life of the host (pidfs, since Linux 6.14). */
  readonly pidfsHandle?: string | undefined;
  /** Where there is no such handle: clock ticks since boot (proc_pid_stat(5), field 22). */
  readonly startTime?: number | undefined;
}

/** The identity of a process that runs, or is a zombie of ours. @throws SyscallError ESRCH */
export function identityOf(pid: number, pidfd: number): ProcessIdentity {
  const pidfsHandle = fileHandle(pidfd);
  const mark = pidfsHandle ? { pidfsHandle } : { startTime: readStat(pid)?.startTime };
  return { pid, bootId: bootId(), ...mark };
}

/**
 * The identity of whoever has this number now: call it while that is surely the one that is meant, as of a child that is not
 * reaped. Undefined if there is none.
 */
export function identify(pid: number): ProcessIdentity | undefined {
  const pidfd = openIfAlive(pid);
  if (pidfd === undefined) return undefined;
  try {
    return identityOf(pid, pidfd);
  } finally {
    close(pidfd);
  }
}

/** A pidfd of the very process that was meant; undefined if it has ended, whatever has its pid now. */
export function openByIdentity(identity: ProcessIdentity): number | undefined {
  if (identity.bootId !== bootId()) return undefined;
  const pidfd = openIfAlive(identity.pid);
  if (pidfd === undefined) return undefined;
  const same = identity.pidfsHandle
    ? fileHandle(pidfd) === identity.pidfsHandle
    : readStat(identity.pid)?.startTime === identity.startTime;
  if (same) return pidfd;
  close(pidfd);
  return undefined;
}

function openIfAlive(pid: number): number | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (isErrno(error, 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
}
