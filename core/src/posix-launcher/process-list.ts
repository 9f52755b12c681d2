import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
  readonly group: number;
  /** 0 where the system doesn't tell. */
  readonly session: number;
  /** Comparable within one boot of one system; 0 where the system doesn't tell. */
  readonly start: number;
}

/** Every process that runs; zombies are left out. */
export const listProcesses = (): ProcessEntry[] => (process.platform === 'linux' ? fromProc() : fromPs());

function fromProc(): ProcessEntry[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const entry = readEntry(Number(name));
    return entry ? [entry] : [];
  });
}

/** proc_pid_stat(5): the command may hold spaces and parentheses; the last `)` ends it. */
function readEntry(pid: number): ProcessEntry | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // ended meanwhile
  }
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const [, ppid, group, session] = fields.map(Number);
  return { pid, ppid: ppid!, group: group!, session: session!, start: Number(fields[19]) };
}

function fromPs(): ProcessEntry[] {
  const options = { encoding: 'utf8', env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' } } as const;
  const lines = execFileSync('/bin/ps', ['-axo', 'pid=,ppid=,pgid=,stat='], options).trim().split('\n');
  return lines.flatMap((line) => {
    const [pid, ppid, group, state = ''] = line.trim().split(/\s+/);
    if (state.startsWith('Z')) return [];
    return [{ pid: Number(pid), ppid: Number(ppid), group: Number(group), session: 0, start: 0 }];
  });
}

/** Whether a process was started with a variable of this value. False if it may not be looked at. */
export function hasVariable(pid: number, name: string, value: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'utf8')}`.includes(`\0${name}=${value}\0`);
  } catch {
    return false;
  }
}
