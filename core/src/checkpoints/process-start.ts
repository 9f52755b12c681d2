import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { bootId } from './boot-id.js';

/**
 * A process, across restarts of this one, as well as can be told without a pidfd: the pid alone may be another's by now.
 * The start time has the granularity of a clock tick.
 */
export interface ProcessMark {
  readonly pid: number;
  readonly start: string;
  readonly bootId: string;
  /** Pids count within a pid namespace. Empty where there are none. */
  readonly pidNamespace: string;
}

/** Undefined if there is no such process, or only its zombie. */
export function markOf(pid: number): ProcessMark | undefined {
  const start = startOf(pid);
  return start === undefined ? undefined : { pid, start, bootId: bootId(), pidNamespace: ownPidNamespace() };
}

let own: ProcessMark | undefined;

export function ownMark(): ProcessMark {
  own ??= markOf(process.pid);
  if (!own) throw new Error('/proc does not show this process: is /proc of another pid namespace?');
  return own;
}

/** `unknown`: it is in a pid namespace that this process cannot look into. */
export function isAlive(mark: ProcessMark): boolean | 'unknown' {
  if (mark.bootId !== bootId()) return false;
  if (mark.pidNamespace !== ownPidNamespace()) return 'unknown';
  return startOf(mark.pid) === mark.start;
}

function startOf(pid: number): string | undefined {
  return process.platform === 'linux' ? startFromProc(pid) : startFromPs(pid);
}

/** proc_pid_stat(5): the command may hold spaces and parentheses; the last `)` ends it. Fields 3 (state), 22. */
function startFromProc(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const options = { encoding: 'utf8', env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' } } as const;
    return execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], options).trim() || undefined;
  } catch {
    return undefined;
  }
}

let pidNamespace: string | undefined;

function ownPidNamespace(): string {
  pidNamespace ??= process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : '';
  return pidNamespace;
}
