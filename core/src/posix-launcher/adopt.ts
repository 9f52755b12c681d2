import type { Container, ContainerProcess, LauncherState } from '@caisson/plugin-sdk';
import { isAlive, type ProcessMark } from '../checkpoints/process-start.js';
import { PosixProcess } from './posix-process.js';
import { listProcesses } from './process-list.js';
import { findMembers, type Tree } from './process-tree.js';

const POLL_MS = 200;

/**
 * Takes up a process of an earlier run. Nobody is its parent any more, so its end is seen by looking, and its status is
 * lost. Without a state (the earlier run was killed too early to write it down) its processes are found by the sandbox in
 * their environment. Undefined if there are none.
 */
export function adoptProcess(container: Container, state: LauncherState): ContainerProcess | undefined {
  const mark = isMark(state) ? state : undefined;
  const tree: Tree = {
    leader: mark?.pid ?? 0,
    start: Number(mark?.start ?? 0),
    sandbox: container.sandbox,
    isReaped: () => mark === undefined || isAlive(mark) === false,
  };
  const [found] = mark ? [mark.pid] : findMembers(tree, listProcesses());
  if (found === undefined) return undefined;
  const isLeaderAlive = (): boolean => mark !== undefined && isAlive(mark) !== false;
  const poll = new Poll(isLeaderAlive);
  return new PosixProcess({
    id: container.id,
    leader: { pid: found, ended: poll.ended, isAlive: isLeaderAlive },
    tree,
    state,
    close: () => poll.stop(),
  });
}

const isMark = (state: LauncherState): state is LauncherState & ProcessMark =>
  typeof state.pid === 'number' && typeof state.start === 'string';

/** Looks every now and then whether a process is still there. */
class Poll {
  readonly ended: Promise<undefined>;
  #timer: NodeJS.Timeout | undefined;

  constructor(isAlive: () => boolean) {
    this.ended = new Promise((resolve) => {
      const look = () => {
        if (isAlive()) this.#timer = setTimeout(look, POLL_MS).unref();
        else resolve(undefined);
      };
      look();
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
