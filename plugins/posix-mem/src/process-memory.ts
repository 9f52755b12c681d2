import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Bytes of memory that a process has in use. */
export interface ProcessMemory {
  /** Pages that it has mapped and that are in memory. */
  readonly rss: number;
  /** The same, a page that n processes have mapped counting for 1/n. Undefined where that isn't told. */
  readonly pss: number | undefined;
}

const NOTHING: ProcessMemory = { rss: 0, pss: 0 };

const kilobytes = (text: string, field: string): number | undefined => {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
  return match ? Number(match[1]) * 1024 : undefined;
};

/** smaps_rollup walks the page tables: off the event loop (proc_pid_smaps(5), since Linux 4.14). */
export async function readPss(pid: number): Promise<ProcessMemory> {
  try {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
    const [rss, pss] = [kilobytes(text, 'Rss'), kilobytes(text, 'Pss')];
    return rss === undefined || pss === undefined ? NOTHING : { rss, pss };
  } catch (error) {
    // ESRCH: it has ended, or is a zombie. EACCES: it may not be looked at so closely.
    return isGone(error) ? NOTHING : readRss(pid);
  }
}

/** VmRSS: kernel threads and zombies have none (proc_pid_status(5)). */
export function readRss(pid: number): ProcessMemory {
  try {
    const rss = kilobytes(readFileSync(`/proc/${pid}/status`, 'latin1'), 'VmRSS') ?? 0;
    return { rss, pss: rss === 0 ? 0 : undefined };
  } catch {
    return NOTHING;
  }
}

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ESRCH';
