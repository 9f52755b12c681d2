import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors.js';
import { readMountinfo } from '../proc/mountinfo.js';
import type { CensusEntry } from './census.js';

/**
 * Directories of every cgroup hierarchy, v1 and v2, whose path matches; a hierarchy mounted twice counts once. One that holds
 * a process of somebody else is theirs.
 */
export function cgroupEntries(pattern: RegExp, ourPids: ReadonlySet<number>): CensusEntry[] {
  const mounts = readMountinfo().filter(({ filesystem }) => /^cgroup2?$/.test(filesystem));
  const once = new Map(mounts.map((mount) => [`${mount.device} ${mount.root}`, mount.mountPoint]));
  return [...once.values()].flatMap((mountPoint) =>
    directoriesBelow(mountPoint)
      .filter((path) => pattern.test(path.slice(mountPoint.length)))
      .filter((path) => processesIn(path).every((pid) => ourPids.has(pid)))
      .map((path): CensusEntry => ({ kind: 'cgroup', key: path, text: path })),
  );
}

function processesIn(cgroup: string): number[] {
  try {
    return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return [];
    throw error;
  }
}

function directoriesBelow(directory: string): string[] {
  return subdirectories(directory).flatMap((path) => [path, ...directoriesBelow(path)]);
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(directory, name));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return []; // removed while we walked
    throw error;
  }
}
