import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Kin } from '@caisson/linux/proc';

const run = promisify(execFile);

const COLUMNS = ['pid', 'ppid', 'pgid', 'rss'];
const LONGEST_MS = 4000;
const LARGEST_OUTPUT = 32 * 1024 * 1024;

/** A process as ps tells of it. */
export interface PsProcess extends Kin {
  readonly rssBytes: number;
}

/** The output of `ps -A -o pid= -o ppid= -o pgid= -o rss=`; rss is in units of 1024 bytes. */
export function parsePs(text: string): PsProcess[] {
  return text.split('\n').flatMap((line) => {
    const [pid, ppid, processGroup, rss] = line.trim().split(/\s+/).map(Number);
    if (!pid || ppid === undefined || processGroup === undefined || !Number.isFinite(rss)) return [];
    return { pid, ppid, processGroup, session: 0, startTime: 0, rssBytes: rss! * 1024 };
  });
}

/** Every process of a system without /proc. */
export async function readPs(): Promise<PsProcess[]> {
  const { stdout } = await run('ps', ['-A', ...COLUMNS.flatMap((column) => ['-o', `${column}=`])], {
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    timeout: LONGEST_MS,
    maxBuffer: LARGEST_OUTPUT,
  });
  return parsePs(stdout);
}
