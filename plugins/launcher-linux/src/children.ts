import { closeSync, readFileSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import { readStat } from '@caisson/linux/proc';
import { identityOf, type ProcessIdentity } from '@caisson/linux/process';
import { P_PID, parentOf, pidfdOpen, WAIT, waitid } from '@caisson/linux/syscalls';

/** Of a child of ours: it stays a zombie, and its pid its own, until we reap it. On a failure it is ended. */
export function pidfdOfChild(pid: number): number {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    process.kill(pid, 'SIGKILL');
    waitid(P_PID, pid, WAIT.WEXITED);
    throw error;
  }
}

/** Waits for the end of a child of ours, unless it was reaped meanwhile: an agent that is process 1 may do that for all. */
export function awaitChild(pid: number): void {
  try {
    waitid(P_PID, pid, WAIT.WEXITED);
  } catch (error) {
    if (!isErrno(error, 'ECHILD')) throw error;
  }
}

const LARGEST_PID = 2 ** 22; // PID_MAX_LIMIT (proc(5), kernel.pid_max)

/** A process by both of its names. */
export interface Child {
  readonly pid: number;
  readonly pidfd: number;
}

/** The child that was born first: of an init, the command, which came before any orphan. Undefined if it has none (any more). */
export const oldestChild = (parent: number): Child | undefined => openAny(childrenOf(parent)[0], parent);

/**
 * The child that was born last: of a supervisor whose container has joined a pid namespace, the container. Who helped it there
 * came before it.
 */
export const youngestChild = (parent: number): Child | undefined =>
  openAny(childrenOf(parent).at(-1), parent);

const openAny = (pid: number | undefined, parent: number) => (pid ? openChild(pid, parent) : undefined);

/** In the order in which they were born (proc_pid_task_tid_children(5)). */
function childrenOf(parent: number): number[] {
  try {
    return readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ').map(Number);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Undefined unless it is a child of `parent`: its number may be another process's by now (threat model N12). */
function openChild(pid: number, parent: number): Child | undefined {
  if (pid <= 0 || pid > LARGEST_PID) return undefined;
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  return keptIf(pidfd, () => readStat(pid)?.ppid === parent) ? { pid, pidfd } : undefined;
}

/** It is closed unless it is of the one that is meant, also where nobody can say (EMFILE). */
function keptIf(pidfd: number, isMeant: () => boolean): boolean {
  let kept = false;
  try {
    kept = isMeant();
    return kept;
  } finally {
    if (!kept) closeSync(pidfd);
  }
}

const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * Its mounts may have failed, and the supervisor may have reaped it, before we look: then its pid is nobody's, or another
 * process's, but none of the supervisor's children (threat model N12). The supervisor is our child, so its pid is its own.
 */
export function pidfdOfGrandchild(pid: number, supervisorPid: number): number | undefined {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
  return keptIf(pidfd, () => (parentOf(pidfd) ?? readStat(pid)?.ppid) === supervisorPid) ? pidfd : undefined;
}

/** What a container's two processes are known by, also after a restart of the agent. */
export interface Identities {
  readonly supervisor: ProcessIdentity;
  readonly process: ProcessIdentity;
}

export const identitiesOf = (supervisor: Child, first: Child): Identities => ({
  supervisor: identityOf(supervisor.pid, supervisor.pidfd),
  process: identityOf(first.pid, first.pidfd),
});
