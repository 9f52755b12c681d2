import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isErrno } from '../errors.js';

/** The fields of proc_pid_stat(5) that are of use here. */
export interface ProcessStat {
  readonly pid: number;
  readonly command: string;
  /** `R`, `S`, `D`, `Z`, `T`, ... */
  readonly state: string;
  readonly ppid: number;
  readonly processGroup: number;
  readonly session: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
  /** Clock ticks of cpu time, of all its threads, also of those that have ended. */
  readonly userTicks: number;
  readonly systemTicks: number;
  /** The same of the children that it has waited for, and theirs. */
  readonly childrenUserTicks: number;
  readonly childrenSystemTicks: number;
}

/** Of every architecture of ours, whatever the kernel's own tick is (USER_HZ, times(2)). */
export const CLOCK_TICKS_PER_SECOND = 100;

/** Undefined if there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** The command may hold spaces and parentheses: the last `)` ends it. */
export function parseStat(line: string): ProcessStat {
  const open = line.indexOf('(');
  const closing = line.lastIndexOf(')');
  const fields = line.slice(closing + 2).split(' ');
  const number = (index: number) => Number(fields[index]);
  return {
    pid: Number(line.slice(0, open)),
    command: line.slice(open + 1, closing),
    state: fields[0] ?? '?',
    ppid: number(1),
    processGroup: number(2),
    session: number(3),
    startTime: number(19),
    userTicks: number(11),
    systemTicks: number(12),
    childrenUserTicks: number(13),
    childrenSystemTicks: number(14),
  };
}

/** Every process that /proc shows; ones that end meanwhile are left out. */
export function listProcesses(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
}

/** Namespaces by the names of /proc/<pid>/ns. */
export type NamespaceFile =
  | 'mnt'
  | 'pid'
  | 'ipc'
  | 'uts'
  | 'net'
  | 'cgroup'
  | 'user'
  | 'time'
  | 'pid_for_children';

/** Such as `mnt:[4026531841]`: equal for two processes in one namespace. Undefined if the process is gone. */
export function namespaceOf(pid: number | 'self', kind: NamespaceFile): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
