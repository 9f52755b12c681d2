import { type Kin, type ProcessStat, processKey } from '@caisson/linux/proc';

/** A process with the times of its own, and those of the children that it has waited for, in clock ticks. */
export type TimedProcess = Kin &
  Pick<ProcessStat, 'userTicks' | 'systemTicks' | 'childrenUserTicks' | 'childrenSystemTicks'>;

/** Clock ticks in user and in kernel mode. */
export interface CpuTicks {
  readonly user: number;
  readonly system: number;
}

const MODES = [
  ['user', 'userTicks', 'childrenUserTicks'],
  ['system', 'systemTicks', 'childrenSystemTicks'],
] as const;
type Mode = (typeof MODES)[number];

/**
 * The cpu time of a container from looks at its processes, also of those that have ended.
 *
 * A process that was waited for moves its time, and that of its own children, to its parent's children: the sum stays. One
 * that nobody of the container waits for takes its time away: a daemon, reaped by the host's init, or a child of a parent
 * that ignores SIGCHLD. What was seen of it last is kept here, as far as no figure of a survivor has grown by it, so the sum
 * never goes backwards.
 *
 * Source  proc_pid_stat(5), cutime and cstime; getrusage(2), RUSAGE_CHILDREN
 */
export class CpuAccount {
  readonly #lost = { user: 0, system: 0 };
  #seen = new Map<string, TimedProcess>();
  #floor: CpuTicks | undefined;

  /** @param floor  what was reported before a restart: the sum begins there at least */
  constructor(floor?: CpuTicks) {
    this.#floor = floor;
  }

  /** The time until now, of the processes that there are and of those that were. */
  add(processes: readonly TimedProcess[]): CpuTicks {
    const now = new Map(processes.map((each) => [processKey(each), each]));
    const vanished = [...this.#seen].filter(([key]) => !now.has(key)).map(([, each]) => each);
    for (const mode of MODES) this.#lost[mode[0]] += this.#missing(mode, now, vanished);
    this.#seen = now;
    const [user, system] = MODES.map((mode) => this.#total(mode)) as [number, number];
    this.#floor = undefined;
    return { user, system };
  }

  /** What the vanished had and no survivor has got. */
  #missing(
    [, own, ofChildren]: Mode,
    now: ReadonlyMap<string, TimedProcess>,
    vanished: readonly TimedProcess[],
  ): number {
    const gone = sum(vanished, (each) => each[own] + each[ofChildren]);
    if (gone === 0) return 0;
    const inherited = sum(now, ([key, each]) => {
      const before = this.#seen.get(key);
      return before ? each[ofChildren] - before[ofChildren] : 0;
    });
    return Math.max(0, gone - inherited);
  }

  #total([mode, own, ofChildren]: Mode): number {
    const counted = sum(this.#seen.values(), (each) => each[own] + each[ofChildren]);
    const missing = (this.#floor?.[mode] ?? 0) - counted - this.#lost[mode];
    if (missing > 0) this.#lost[mode] += missing;
    return counted + this.#lost[mode];
  }
}

function sum<T>(items: Iterable<T>, amountOf: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += amountOf(item);
  return total;
}
