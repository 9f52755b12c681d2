import { closeSync } from 'node:fs';
import { type Reaper, reapChild } from '@caisson/linux/process';
import { exitStatusOf, pidfdSendSignal } from '@caisson/linux/syscalls';
import { type RecordedEnd, readStatusFile } from './status-file.js';

const SIGKILL = 9;

/**
 * A supervisor and the first process of its container, as pidfds: two processes that were told by nothing but a number
 * could be somebody else's by now (threat model N12).
 */
export interface SupervisedPair {
  readonly supervisorPid: number;
  /** Undefined: it has ended. */
  readonly supervisor: number | undefined;
  readonly container: number | undefined;
}

/**
 * Resolves with how it ended once the supervisor has ended, and with it the container: its last act is to write
 * the status; where it was killed before that, its container is killed too.
 */
export async function supervisorEnd(
  pair: SupervisedPair,
  statusPath: string,
  reaper: Reaper,
): Promise<RecordedEnd | undefined> {
  if (pair.supervisor !== undefined) await readable(pair.supervisor, reaper);
  reapChild(pair.supervisorPid);
  const recorded = readStatusFile(statusPath);
  if (recorded || pair.container === undefined) return recorded;
  // The parent-death signal has been sent; this is for the moment before the container had asked for it.
  pidfdSendSignal(pair.container, SIGKILL);
  await readable(pair.container, reaper);
  const status = exitStatusOf(pair.container);
  return status === undefined ? undefined : { status, executed: true };
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
