import { readFileSync, readlinkSync } from 'node:fs';
import { isBelow } from '../proc/mountinfo.js';
import { listProcesses, namespaceOf, type ProcessStat } from '../proc/process-stat.js';
import type { CensusEntry } from './census.js';

const KTHREADD = 2;

/**
 * Processes that are ours: descendants of this one, which as a subreaper inherits every orphan of theirs; and, should
 * one have got away, any that was started with or works in one of the directories.
 */
export function ourProcesses(directories: readonly string[]): ProcessStat[] {
  const all = listProcesses();
  const parents = new Map(all.map(({ pid, ppid }) => [pid, ppid]));
  return all
    .filter((stat) => stat.pid !== process.pid && stat.ppid !== KTHREADD)
    .filter(({ pid }) => descends(pid, parents) || worksIn(pid, directories));
}

export const processEntries = (processes: readonly ProcessStat[]): CensusEntry[] =>
  processes.map((stat) => ({
    kind: 'process',
    key: `${stat.pid}@${stat.startTime}`,
    text: describe(stat),
  }));

function descends(pid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at))
    if (at === process.pid) return true;
  return false;
}

function worksIn(pid: number, directories: readonly string[]): boolean {
  if (directories.length === 0) return false;
  const places = [link(pid, 'cwd'), link(pid, 'root'), link(pid, 'exe')];
  const command = commandLine(pid);
  return directories.some(
    (directory) => places.some((place) => isBelow(place, directory)) || command.includes(directory),
  );
}

function describe({ pid, command, state, ppid }: ProcessStat): string {
  const line = state === 'Z' ? 'a zombie' : commandLine(pid) || 'no command line';
  const elsewhere =
    namespaceOf(pid, 'pid') === namespaceOf('self', 'pid') ? '' : ', in a pid namespace of its own';
  return `${pid} (${command}) ${line}: state ${state}, parent ${ppid}${elsewhere}`;
}

// A process that ends meanwhile, or is a zombie, has none of these.
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function link(pid: number, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return '';
  }
}
