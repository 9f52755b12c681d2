import { setTimeout as sleep } from 'node:timers/promises';
import { close } from '../syscalls/files.js';
import { O } from '../syscalls/flags.js';
import { tryLock } from '../syscalls/flock.js';
import { cgroupErrors } from './cgroup-error.js';
import type { Hierarchy } from './hierarchy.js';

const LONGEST_PAUSE_MS = 20;

/**
 * Runs `body` while no other agent of this host is in such a body for the same hierarchy. The lock is on the hierarchy's
 * own directory: all agents share it wherever their state is, and the end of a process gives it back.
 *
 * @param body  synchronous, so that nobody holds the lock while it waits for something else
 * @throws CGROUP_LOCKED
 */
export async function withLock<T>(
  hierarchy: Hierarchy,
  body: () => T,
  { timeoutMs = 10_000 } = {},
): Promise<T> {
  const fd = hierarchy.open('', O.O_RDONLY | O.O_DIRECTORY);
  try {
    const deadline = performance.now() + timeoutMs;
    for (let pause = 0; !tryLock(fd); pause = Math.min(2 * pause + 1, LONGEST_PAUSE_MS)) {
      if (performance.now() >= deadline) throw cgroupErrors.CGROUP_LOCKED(hierarchy.mountPoint, timeoutMs);
      await sleep(pause);
    }
    return body();
  } finally {
    close(fd);
  }
}
