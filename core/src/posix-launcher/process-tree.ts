/**
 * All processes of a container of the posix launcher. Without cgroups and pid namespaces that is: its session and process
 * group, their descendants, and on Linux whoever still has the container's MESOS_SANDBOX in its environment. A process
 * that left all of these (two forks, setsid, a new environment) is not found.
 */
import { hasVariable, listProcesses, type ProcessEntry } from './process-list.js';

export interface Tree {
  /** The first process: leader of its session and group. 0 if it isn't known. */
  readonly leader: number;
  /** When it started: nothing older is part of the container. */
  readonly start: number;
  readonly sandbox: string;
  /** It was reaped: a process of its number is another one by now, and so are its session and group. */
  isReaped(): boolean;
}

const LONGEST_MS = 5_000;

/** Kills until nothing is left. Returns what lives on all the same. */
export async function killTree(tree: Tree): Promise<number[]> {
  const deadline = performance.now() + LONGEST_MS;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const pids = findMembers(tree, listProcesses());
    if (pids.length === 0 || performance.now() > deadline) return pids;
    for (const pid of pids) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

export function findMembers(tree: Tree, processes: readonly ProcessEntry[]): number[] {
  const { leader, start, sandbox } = tree;
  const isTheirs = ({ pid, group, session }: ProcessEntry) =>
    leader !== 0 && !isReused(tree, processes) && (pid === leader || group === leader || session === leader);
  const candidates = processes.filter((each) => each.pid !== process.pid && each.start >= start);
  const members = new Set(
    candidates
      .filter((each) => isTheirs(each) || hasVariable(each.pid, 'MESOS_SANDBOX', sandbox))
      .map(({ pid }) => pid),
  );
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const { pid, ppid } of candidates) if (members.has(ppid)) members.add(pid);
  }
  return [...members];
}

const isReused = ({ leader, isReaped }: Tree, processes: readonly ProcessEntry[]): boolean =>
  isReaped() && processes.some(({ pid }) => pid === leader);

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile; or it is another user's (setuid), and is told to the caller as living on.
  }
}
