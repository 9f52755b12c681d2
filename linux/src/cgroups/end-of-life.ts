import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno, SyscallError } from '../errors.js';
import { close } from '../syscalls/files.js';
import { pidfdOpen, pidfdSendSignal } from '../syscalls/processes.js';
import type { Cgroup } from './cgroup.js';

const SIGKILL = constants.signals.SIGKILL;
const LONGEST_PAUSE_MS = 50;

/** Tries again after 0, 1, 3, 7, ... 50 ms until it gives true. False if the time was not enough. */
async function retried(timeoutMs: number, attempt: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = 0; ; pause = Math.min(2 * pause + 1, LONGEST_PAUSE_MS)) {
    if (await attempt()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(pause);
  }
}

/**
 * Ends every process in a cgroup and below it, also ones that fork meanwhile, ignore SIGTERM or are frozen. A cgroup
 * that does not exist is empty.
 *
 * Version 2: `cgroup.kill` (since Linux 5.14). Version 1: the freezer holds all of them still, so that the list of whom to
 * kill is complete; SIGKILL then waits until they are thawed. Elsewhere: again and again, until nobody is left.
 *
 * @throws SyscallError  EBUSY somebody lives on after `timeoutMs`, such as a process in uninterruptible sleep
 */
export async function killAll(cgroup: Cgroup, { timeoutMs = 15_000 } = {}): Promise<void> {
  const gone = await retried(timeoutMs, async () => {
    if (cgroup.allPids().length === 0) return true;
    await killOnce(cgroup);
    return cgroup.allPids().length === 0;
  });
  if (!gone) throw stillThere('kill', cgroup);
}

async function killOnce(cgroup: Cgroup): Promise<void> {
  if (cgroup.hierarchy.version === 2) return killUnified(cgroup);
  if (!cgroup.hierarchy.controllers.includes('freezer')) return signalAll(cgroup);
  try {
    await freeze(cgroup);
    signalAll(cgroup);
  } finally {
    thaw(cgroup);
  }
}

function killUnified(cgroup: Cgroup): void {
  try {
    cgroup.write('cgroup.kill', 1);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) throw error;
    signalAll(cgroup); // a kernel before 5.14; or it was removed meanwhile
  }
}

/** A pidfd is opened first and the list read again: a pid that was reused meanwhile is not in it, and is left alone. */
function signalAll(cgroup: Cgroup): void {
  const pidfds = cgroup.allPids().flatMap((pid) => {
    try {
      return [[pid, pidfdOpen(pid)] as const];
    } catch (error) {
      if (isErrno(error, 'ESRCH', 'EINVAL')) return [];
      throw error;
    }
  });
  const still = new Set(cgroup.allPids());
  for (const [pid, pidfd] of pidfds) {
    if (still.has(pid)) pidfdSendSignal(pidfd, SIGKILL);
    close(pidfd);
  }
}

/**
 * Holds every process of a version 1 freezer cgroup still. A process that can't be frozen now (in vfork, in uninterruptible
 * sleep) does not hold us up for longer than `timeoutMs`.
 * @returns whether all are frozen
 */
export async function freeze(cgroup: Cgroup, timeoutMs = 500): Promise<boolean> {
  return retried(timeoutMs, () => {
    cgroup.write('freezer.state', 'FROZEN');
    return cgroup.read('freezer.state') === 'FROZEN';
  });
}

/** The cgroups below may have been frozen by themselves. */
export function thaw(cgroup: Cgroup): void {
  for (const each of cgroup.subtree().reverse()) {
    try {
      each.write('freezer.state', 'THAWED');
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error;
    }
  }
}

/**
 * Removes a cgroup and those below it, the deepest first. The kernel says EBUSY until the last process is reaped, and for a
 * moment after (threat model N14), so it is tried again. One that does not exist is removed.
 *
 * @throws SyscallError  EBUSY it still has processes after `timeoutMs`
 */
export async function removeAll(cgroup: Cgroup, { timeoutMs = 5_000 } = {}): Promise<void> {
  const removed = await retried(timeoutMs, () => cgroup.subtree().every(removeOne));
  if (!removed) throw stillThere('rmdir', cgroup);
}

function removeOne(cgroup: Cgroup): boolean {
  try {
    cgroup.removeDirectory();
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}

const stillThere = (syscall: string, cgroup: Cgroup): SyscallError =>
  new SyscallError(syscall, constants.errno.EBUSY, {
    cgroup: String(cgroup),
    processes: cgroup.allPids().slice(0, 10).join(' ') || undefined,
  });
