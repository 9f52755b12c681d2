import { execFile } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { isBelow, type MountEntry, readMountinfo } from '@caisson/linux/proc';
import { type Clock, messageOf } from '@caisson/plugin-sdk';
import { findProgram } from '../host.js';
import { BtrfsMeter, btrfsProblem } from './btrfs-meter.js';
import type { QuotaMeter } from './meter.js';
import { ProjectMeter, projectProblem } from './project-meter.js';

const run = promisify(execFile);

const LONGEST_SYNC_MS = 30_000;
const WITH_PROJECTS = ['xfs', 'ext4'];

export interface FindMeterSettings {
  readonly directory: string;
  readonly projectIds: { readonly first: number; readonly last: number };
  /** It must be able to limit how many files there are. */
  readonly limitsFiles: boolean;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** The meter that the filesystem of a directory offers, or why there is none. */
export function findQuotaMeter(settings: FindMeterSettings): QuotaMeter | string {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root';
  const directory = existing(settings.directory);
  const mount = mountOf(directory);
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const meter = meterFor(fd, directory, mount, settings);
    if (typeof meter === 'string') closeSync(fd);
    return meter;
  } catch (error) {
    closeSync(fd);
    return messageOf(error);
  }
}

function meterFor(
  fd: number,
  directory: string,
  { filesystem, mountPoint, superOptions }: MountEntry,
  { projectIds, limitsFiles, clock }: FindMeterSettings,
): QuotaMeter | string {
  if (filesystem === 'btrfs') {
    if (limitsFiles) return 'btrfs cannot hold anybody to a number of files (maxFiles)';
    const sync = () => syncFilesystem(directory);
    return btrfsProblem(fd, mountPoint) ?? new BtrfsMeter({ fd, clock, sync });
  }
  if (!WITH_PROJECTS.includes(filesystem)) return `${filesystem} has no quotas that it could count by`;
  if (!superOptions.includes('prjquota'))
    return `${mountPoint} (${filesystem}) is not mounted with the option prjquota`;
  return projectProblem(fd, mountPoint) ?? new ProjectMeter({ fd, ids: projectIds, clock });
}

/** The directory, or what of it is there already. */
function existing(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return realpathSync(at);
}

/** Of mounts one on the other, the last counts. */
function mountOf(directory: string): MountEntry {
  const above = readMountinfo().filter(({ mountPoint }) => isBelow(directory, mountPoint));
  return above.reduce((best, each) => (each.mountPoint.length >= best.mountPoint.length ? each : best));
}

/** syncfs(2), which may take its time: in a process of its own. */
async function syncFilesystem(directory: string): Promise<void> {
  const program = findProgram('sync');
  if (!program) throw new Error('there is no program sync in PATH');
  await run(program, ['-f', '--', '.'], { cwd: directory, env: { LC_ALL: 'C' }, timeout: LONGEST_SYNC_MS });
}
