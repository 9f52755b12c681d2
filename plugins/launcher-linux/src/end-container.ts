import type { Cgroups } from '@caisson/linux/cgroups';
import { pidfdSendSignal } from '@caisson/linux/syscalls';
import type { SupervisedPair } from './supervised.js';
import { thawFreezerOf } from './tracking-group.js';

const SIGKILL = 9;
const SIGCONT = 18;
const THAW_AFTER_MS = 100;
const GIVE_UP_AFTER_MS = 10_000;

/**
 * Ends a container's first process; true once `ended` has settled. SIGKILL to the first process of a pid namespace ends
 * all in it (pid_namespaces(7)). False: something does not die, such as a process in uninterruptible sleep (N14).
 */
export async function endContainer(
  { container, supervisor }: SupervisedPair,
  pid: number,
  ended: Promise<unknown>,
  cgroups: Cgroups,
): Promise<boolean> {
  if (container !== undefined) pidfdSendSignal(container, SIGKILL);
  if (await settlesWithin(ended, THAW_AFTER_MS)) return true;
  // SIGKILL waits on a frozen v1 cgroup, and a stopped supervisor does not reap.
  if (container !== undefined) thawFreezerOf(pid, container, cgroups);
  if (supervisor !== undefined) pidfdSendSignal(supervisor, SIGCONT);
  return settlesWithin(ended, GIVE_UP_AFTER_MS);
}

/** False: it takes longer. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  try {
    return await Promise.race([promise.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
