import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CLOCK_TICKS_PER_SECOND } from '@caisson/linux/proc';
import type { TimedProcess } from './cpu-account.js';

const run = promisify(execFile);

/** macOS tells user time apart (`utime`); POSIX knows only the sum. */
const COLUMNS = ['pid', 'ppid', 'pgid', 'time', ...(process.platform === 'darwin' ? ['utime'] : [])];
const LONGEST_MS = 4000;
const LARGEST_OUTPUT = 32 * 1024 * 1024;

/** `[[dd-]hh:]mm:ss`, on macOS with hundredths of a second, in clock ticks; NaN if it is none. */
export function parseCpuTime(text: string): number {
  const match = /^(?:(\d+)-)?((?:\d+:)*)(\d+(?:\.\d+)?)$/.exec(text);
  if (!match) return Number.NaN;
  const [, days = '0', larger = '', rest = ''] = match;
  const minutes = larger
    .split(':')
    .filter(Boolean)
    .reduce((total, part) => total * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + minutes * 60 + Number(rest)) * CLOCK_TICKS_PER_SECOND);
}

/**
 * The output of `ps -A -o pid= -o ppid= -o pgid= -o time= [-o utime=]`. ps tells neither sessions nor what children have
 * used: of a process that has ended, what was seen of it last counts.
 */
export function parsePs(text: string): TimedProcess[] {
  return text.split('\n').flatMap((line) => {
    const [pid, ppid, processGroup, time, userTime] = line.trim().split(/\s+/);
    const total = parseCpuTime(time ?? '');
    if (!Number.isFinite(total)) return [];
    const userTicks = Math.min(total, userTime === undefined ? total : parseCpuTime(userTime) || 0);
    return {
      pid: Number(pid),
      ppid: Number(ppid),
      processGroup: Number(processGroup),
      session: 0,
      startTime: 0,
      userTicks,
      systemTicks: total - userTicks,
      childrenUserTicks: 0,
      childrenSystemTicks: 0,
    };
  });
}

/** Every process of a system without /proc. */
export async function readPs(): Promise<TimedProcess[]> {
  const { stdout } = await run('ps', ['-A', ...COLUMNS.flatMap((column) => ['-o', `${column}=`])], {
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    timeout: LONGEST_MS,
    maxBuffer: LARGEST_OUTPUT,
  });
  return parsePs(stdout);
}
