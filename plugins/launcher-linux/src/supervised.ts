import { closeSync } from 'node:fs';
import type { Reaper } from '@caisson/linux/process';
import {
  type ChildEnd,
  exitStatusOf,
  P_PIDFD,
  pidfdSendSignal,
  pollReadable,
  WAIT,
  waitid,
} from '@caisson/linux/syscalls';
import { settlesWithin } from './end-container.js';
import { type RecordedEnd, readStatusFile } from './status-file.js';

const SIGKILL = 9;

/**
 * A supervisor and the first process of its container, as pidfds: two processes that were told by nothing but a number
 * could be somebody else's by now (threat model N12).
 */
export interface SupervisedPair {
  /** Undefined: it has ended. */
  readonly supervisor: number | undefined;
  container: number | undefined;
}

/**
 * Resolves with how it ended once the supervisor has ended, and with it the container: its last act is to write
 * the status; where it was killed before that, its container is killed too.
 */
export async function supervisorEnd(
  pair: SupervisedPair,
  statusPath: string,
  reaper: Reaper,
  joins: boolean,
): Promise<RecordedEnd | undefined> {
  if (pair.supervisor !== undefined) {
    await supervisorEnded(pair.supervisor, joins ? undefined : pair.container, reaper);
    reap(pair.supervisor);
  }
  const recorded = readStatusFile(statusPath);
  if (recorded || pair.container === undefined) return recorded;
  // The parent-death signal has been sent; this is for the moment before the container had asked for it.
  pidfdSendSignal(pair.container, SIGKILL);
  const status = await statusOfOrphan(pair.container, reaper);
  // Nobody saw whether it was executed: a launch that is under way takes it as failed.
  return status === undefined ? undefined : { status, executed: false, supervised: false };
}

/** How a container ended whose supervisor is gone. Until it is reaped the kernel tells that to its new parent alone. */
async function statusOfOrphan(container: number, reaper: Reaper): Promise<number | undefined> {
  await readable(container, reaper);
  // An agent that is a subreaper, or the first process of its own pid namespace, is that parent.
  const end = reap(container);
  if (end) return rawStatus(end);
  const reaped = new Promise<void>((resolve) => reaper.watch(container, resolve, HANGUP_ALONE));
  await settlesWithin(reaped, REAPED_WITHIN_MS);
  reaper.unwatch(container);
  return exitStatusOf(container);
}

const REAPED_WITHIN_MS = 1000;
/** EPOLLHUP is told unasked: of a pidfd, that its process was reaped. */
const HANGUP_ALONE = 0;

/** By pidfd: a supervisor of an earlier agent is no child of ours, and its pid may be another child's by now. */
function reap(pidfd: number): ChildEnd | undefined {
  try {
    return waitid(P_PIDFD, pidfd, WAIT.WEXITED | WAIT.WNOHANG);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECHILD') return undefined;
    throw error;
  }
}

const [CLD_EXITED, CLD_DUMPED] = [1, 3];

/** As wait(2) tells it. */
const rawStatus = ({ code, status }: ChildEnd): number =>
  code === CLD_EXITED ? status << 8 : status | (code === CLD_DUMPED ? 0x80 : 0);

/** What is left to a supervisor whose container has ended takes some 0.1 ms. */
const LAST_ACT_MS = 2;

/**
 * The container's end wakes us and the supervisor at once: by the time that we are awake, the supervisor is all but
 * done. Whichever ends first, it is the supervisor's end that counts.
 */
async function supervisorEnded(
  supervisor: number,
  container: number | undefined,
  reaper: Reaper,
): Promise<void> {
  const ended = readable(supervisor, reaper);
  if (container === undefined) return ended;
  await Promise.race([ended, readable(container, reaper)]);
  reaper.unwatch(container);
  if (!pollReadable(supervisor, LAST_ACT_MS)) return ended;
  reaper.unwatch(supervisor);
}

/** A pidfd is readable once its process has ended (pidfd_open(2)). */
export const readable = (fd: number, reaper: Reaper): Promise<void> =>
  new Promise((resolve) => reaper.watch(fd, resolve));

export function closePair({ supervisor, container }: SupervisedPair, reaper: Reaper): void {
  for (const fd of [supervisor, container]) {
    if (fd === undefined) continue;
    reaper.unwatch(fd);
    closeSync(fd);
  }
}
