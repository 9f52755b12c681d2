import { cgroupEntries } from './census-cgroups.js';
import { fileEntries, type WatchedDirectories, watched } from './census-files.js';
import { descriptorEntries, mountEntries } from './census-kernel.js';
import { ourProcesses, processEntries } from './census-processes.js';

/** One thing that exists: `key` tells it from others, `text` is for the person who reads a difference. */
export interface CensusEntry {
  readonly kind: 'mount' | 'cgroup' | 'process' | 'descriptor' | 'file';
  readonly key: string;
  readonly text: string;
}

export type Census = readonly CensusEntry[];

export interface CensusOptions {
  /** Trees in which every file, FIFO and socket counts; ones that don't exist are empty. */
  readonly directories?: WatchedDirectories;
  /**
   * Which cgroups may be ours: others come and go on a busy host. Default: the path holds `caisson`. One with a process in
   * it that is not ours is somebody else's.
   */
  readonly cgroups?: RegExp;
  /** Leaves out what is known not to be ours. */
  readonly ignore?: (entry: CensusEntry) => boolean;
}

/**
 * What could leak of a container, as it is now (threat model, section 4): the mounts of our namespace, cgroups of every
 * hierarchy, processes that descend from us (zombies too) or work in the directories, our descriptors, files in the
 * directories. Processes of others don't count: a test may run on a busy host.
 */
export function takeCensus({ directories = [], cgroups = /caisson/, ignore }: CensusOptions = {}): Census {
  const trees = watched(directories);
  const processes = ourProcesses(trees);
  const pids = new Set([process.pid, ...processes.map(({ pid }) => pid)]);
  const entries = [
    ...mountEntries(),
    ...cgroupEntries(cgroups, pids),
    ...processEntries(processes),
    ...descriptorEntries(),
    ...fileEntries(trees),
  ];
  return ignore ? entries.filter((entry) => !ignore(entry)) : entries;
}

/** Entries of `left` that `right` has not; an entry that occurs twice must occur twice. */
function missingIn(left: Census, right: Census): CensusEntry[] {
  const counts = new Map<string, number>();
  for (const { kind, key } of right) counts.set(`${kind} ${key}`, (counts.get(`${kind} ${key}`) ?? 0) + 1);
  return left.filter(({ kind, key }) => {
    const count = counts.get(`${kind} ${key}`) ?? 0;
    counts.set(`${kind} ${key}`, count - 1);
    return count <= 0;
  });
}

const line = (sign: string) => (entry: CensusEntry) => `${sign} ${entry.kind.padEnd(10)} ${entry.text}`;

/**
 * Lines that say what appeared (+) and what is gone (-). Processes, descriptors and cgroups that are gone are no loss: only
 * what a test found and must not touch (mounts, files) has to be there still.
 */
export function compareCensus(before: Census, after: Census): string[] {
  const gone = missingIn(before, after).filter(({ kind }) => kind === 'mount' || kind === 'file');
  return [...missingIn(after, before).map(line('+')), ...gone.map(line('-'))];
}
