import { readdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ProcessStat, readStat } from './process-stat.js';

/** Reading a stat takes ten microseconds: so many at once do not hold up an event loop. */
const AT_ONCE = 100;
/** How old a look at all processes may be: whoever asks for a thousand containers looks once. */
const FRESH_MS = 100;

/** Every process of the host, looked at once for all who ask at about the same time. */
export class ProcessTable<P extends Pick<ProcessStat, 'pid'> = ProcessStat> {
  #last: { readonly at: number; readonly processes: Promise<readonly P[]> } | undefined;

  constructor(
    private readonly read: () => Promise<readonly P[]>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * At most 100 ms old, but newer than `pid` where one is given: a container may have just been started.
   * Processes that end meanwhile are left out.
   */
  async list(pid?: number): Promise<readonly P[]> {
    const seen = await this.#look(FRESH_MS);
    if (pid === undefined || seen.some((each) => each.pid === pid)) return seen;
    return this.#look(0);
  }

  #look(maxAgeMs: number): Promise<readonly P[]> {
    const now = this.now();
    if (this.#last && now - this.#last.at < maxAgeMs) return this.#last.processes;
    const processes = this.read();
    this.#last = { at: now, processes };
    // A failure is told to those who wait for it, and not to the next.
    processes.catch(() => {
      this.#last = undefined;
    });
    return processes;
  }
}

/** /proc, in slices: whatever else this process does goes on. */
export async function readProcesses(): Promise<ProcessStat[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: ProcessStat[] = [];
  for (const [index, pid] of pids.entries()) {
    if (index % AT_ONCE === AT_ONCE - 1) await nextTurn();
    const stat = readStat(Number(pid));
    if (stat) found.push(stat);
  }
  return found;
}

/** The one of this process: whoever measures containers shares it. */
export const processTable = new ProcessTable(readProcesses);
