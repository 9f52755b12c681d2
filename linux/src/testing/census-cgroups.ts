import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors.js';
import { readMountinfo } from '../proc/mountinfo.js';
import type { CensusEntry } from './census.js';

/** Directories of every cgroup hierarchy, v1 and v2, whose path matches; a hierarchy mounted twice counts once. */
export function cgroupEntries(ours: RegExp): CensusEntry[] {
  const mounts = readMountinfo().filter(({ filesystem }) => /^cgroup2?$/.test(filesystem));
  const once = new Map(mounts.map((mount) => [`${mount.device} ${mount.root}`, mount.mountPoint]));
  return [...once.values()].flatMap((mountPoint) =>
    directoriesBelow(mountPoint)
      .filter((path) => ours.test(path.slice(mountPoint.length)))
      .map((path): CensusEntry => ({ kind: 'cgroup', key: path, text: path })),
  );
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
