import { type ProcessMemory, readPss, readRss } from './process-memory.js';

/** Of libuv's four threads two: files that others read shall not wait. */
const AT_ONCE = 2;
/** A container of a thousand large processes is not looked at forever; usage has to answer in seconds. */
const PATIENCE_MS = 1500;

export interface MemorySum {
  readonly rss: number;
  /** With the rss of those that didn't tell. */
  readonly pss: number;
  /** How many processes didn't tell their pss. */
  readonly byRss: number;
}

/** Adds up the memory of processes. */
export class MemoryReader {
  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly exact: (pid: number) => Promise<ProcessMemory> = readPss,
    private readonly quick: (pid: number) => ProcessMemory = readRss,
  ) {}

  /** @param withPss  false: rss alone, which costs a tenth */
  async sum(pids: readonly number[], withPss: boolean): Promise<MemorySum> {
    if (!withPss) return total(pids.map((pid) => this.quick(pid)));
    const deadline = this.now() + PATIENCE_MS;
    const found: ProcessMemory[] = [];
    const left = [...pids];
    const read = async (): Promise<void> => {
      for (let pid = left.pop(); pid !== undefined; pid = left.pop())
        found.push(this.now() < deadline ? await this.exact(pid) : this.quick(pid));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, read));
    return total(found);
  }
}

const total = (memories: readonly ProcessMemory[]): MemorySum => ({
  rss: memories.reduce((sum, { rss }) => sum + rss, 0),
  pss: memories.reduce((sum, { rss, pss = rss }) => sum + pss, 0),
  byRss: memories.filter(({ pss }) => pss === undefined).length,
});
