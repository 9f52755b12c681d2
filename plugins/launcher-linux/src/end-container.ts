import { pidfdSendSignal } from '@caisson/linux/syscalls';
import { errors } from './errors.js';
import type { LinuxProcessParts } from './linux-process.js';
import { thawFreezerOf } from './tracking-group.js';

const SIGKILL = 9;
const SIGCONT = 18;
const THAW_AFTER_MS = 100;
const GIVE_UP_AFTER_MS = 10_000;

/**
 * Ends every process of a container and resolves when all are gone and the status is written (threat model N14).
 * SIGKILL to the first process of a pid namespace ends all in it (pid_namespaces(7)); without one, the tracking cgroup.
 *
 * @throws PROCESS_LIVES_ON  something does not die: a process in state D; the caller may try again
 */
export async function endContainer(parts: LinuxProcessParts, exited: Promise<unknown>): Promise<void> {
  const { pair, tracking, state, id } = parts;
  if (pair.container !== undefined) pidfdSendSignal(pair.container, SIGKILL);
  tracking?.kill();
  if (await settlesWithin(exited, THAW_AFTER_MS)) return;
  // SIGKILL waits on a frozen v1 cgroup, and a stopped supervisor does not reap.
  thawFreezerOf(state.process.pid);
  if (pair.supervisor !== undefined) pidfdSendSignal(pair.supervisor, SIGCONT);
  if (await settlesWithin(exited, GIVE_UP_AFTER_MS)) return;
  throw errors.PROCESS_LIVES_ON(id, [state.process.pid]);
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
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
