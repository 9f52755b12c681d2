import type { ProcessStat } from './process-stat.js';

/** What tells who belongs to whom. Where a system has no sessions or start times to tell, they are 0. */
export type Kin = Pick<ProcessStat, 'pid' | 'ppid' | 'processGroup' | 'session' | 'startTime'>;

/** The same process, and not another one that has its number by now. */
export const processKey = ({ pid, startTime }: Kin): string => `${pid}@${startTime}`;

/**
 * All processes of a container, told from what any system tells: the first one, its descendants, its session and process
 * group, whoever is in a cgroup of the container's own, and whoever was once seen to belong to it, with descendants. So
 * a process that was re-parented is found where it stayed in the session or the cgroup, and where it was seen before it
 * left. In a pid namespace of its own a container loses none: there, orphans become children of the first process.
 */
export class ProcessFamily<P extends Kin = ProcessStat> {
  #known = new Map<string, number>();
  /** Whoever stands above the first process: its supervisor, the agent, and what started that. Also once it has ended. */
  readonly #strangers = new Set<string>();
  #head: Kin | undefined;

  /**
   * @param pid    the first process
   * @param agent  a process that doesn't belong to it, and so doesn't its session: default this one
   */
  constructor(
    private readonly pid: number,
    private readonly agent: number = process.pid,
  ) {}

  /**
   * @param processes  all of the host: one look serves many containers
   * @param inCgroup   the processes in cgroups of the container's own
   */
  members(processes: readonly P[], inCgroup: readonly number[] = []): P[] {
    const index = indexOf(processes);
    const head = index.byPid.get(this.pid);
    if (head && (!this.#head || processKey(head) === processKey(this.#head))) this.#head = head;
    this.#findStrangers(index.byPid);
    const found = new Set<P>();
    const left = [...this.#told(index), ...inCgroup.map((pid) => index.byPid.get(pid))];
    while (left.length > 0) {
      const each = left.pop();
      if (!each || found.has(each) || this.#strangers.has(processKey(each))) continue;
      found.add(each);
      left.push(...(index.children.get(each.pid) ?? []));
    }
    this.#known = new Map([...found].map((each) => [processKey(each), each.pid]));
    return [...found];
  }

  /** Whoever belongs to it whatever his parent is. */
  #told({ byPid, bySession, byGroup }: KinIndex<P>): (P | undefined)[] {
    const seenBefore = [...this.#known]
      .map(([key, pid]) => [key, byPid.get(pid)] as const)
      .flatMap(([key, each]) => (each && processKey(each) === key ? [each] : []));
    if (!this.#head) return seenBefore;
    const { pid, session, processGroup } = this.#head;
    const agent = byPid.get(this.agent);
    const together = session !== 0 ? bySession.get(session) : byGroup.get(processGroup);
    const isAgents = session !== 0 ? agent?.session === session : agent?.processGroup === processGroup;
    const head = byPid.get(pid);
    return [
      ...seenBefore,
      ...(head && processKey(head) === processKey(this.#head) ? [head] : []),
      ...(isAgents ? [] : (together ?? [])).filter((each) => each.pid !== pid),
    ];
  }

  #findStrangers(byPid: ReadonlyMap<number, P>): void {
    const head = byPid.get(this.pid);
    const isHead = head && this.#head && processKey(head) === processKey(this.#head);
    const above = [
      ...lineage(byPid.get(this.agent), byPid),
      ...(isHead ? lineage(byPid.get(head.ppid), byPid) : []),
    ];
    for (const each of above) this.#strangers.add(processKey(each));
  }
}

interface KinIndex<P> {
  readonly byPid: ReadonlyMap<number, P>;
  readonly children: ReadonlyMap<number, readonly P[]>;
  readonly bySession: ReadonlyMap<number, readonly P[]>;
  readonly byGroup: ReadonlyMap<number, readonly P[]>;
}

/** By the list itself: it is not changed, and goes with its index. */
const indexes = new WeakMap<readonly Kin[], KinIndex<never>>();

function indexOf<P extends Kin>(processes: readonly P[]): KinIndex<P> {
  const known = indexes.get(processes) as KinIndex<P> | undefined;
  if (known) return known;
  const index: KinIndex<P> = {
    byPid: new Map(processes.map((each) => [each.pid, each])),
    children: groupBy(processes, ({ ppid }) => ppid),
    bySession: groupBy(processes, ({ session }) => session),
    byGroup: groupBy(processes, ({ processGroup }) => processGroup),
  };
  indexes.set(processes, index as KinIndex<never>);
  return index;
}

function groupBy<P>(items: readonly P[], keyOf: (item: P) => number): Map<number, P[]> {
  const groups = new Map<number, P[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

/** A process, its parent, and so on. */
function lineage<P extends Kin>(from: P | undefined, byPid: ReadonlyMap<number, P>): Set<P> {
  const found = new Set<P>();
  // A table that is read while processes end may hold a circle.
  for (let at = from; at && !found.has(at); at = byPid.get(at.ppid)) found.add(at);
  return found;
}
