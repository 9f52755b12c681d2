import { isErrno } from '../errors.js';
import { reapChild } from '../process/reaper.js';
import { P_ALL, WAIT, waitid } from '../syscalls/processes.js';

/**
 * Reaps what this process inherits as a subreaper, as the first process of a host does at once: a pid namespace whose first
 * process is dead waits for the last zombie in it. A child of Node's own is left to Node, which looks at once too: only
 * what is a zombie at two looks is taken. Returns what ends it.
 */
export function reapOrphansMeanwhile(everyMs = 5): () => void {
  let before: number | undefined;
  const look = () => {
    for (;;) {
      const found = nextZombie();
      if (found === undefined || found !== before) {
        before = found;
        return;
      }
      reapChild(found);
    }
  };
  const timer = setInterval(look, everyMs);
  return () => clearInterval(timer);
}

function nextZombie(): number | undefined {
  try {
    return waitid(P_ALL, 0, WAIT.WEXITED | WAIT.WNOHANG | WAIT.WNOWAIT)?.pid;
  } catch (error) {
    if (isErrno(error, 'ECHILD')) return undefined;
    throw error;
  }
}
