/**
 * The control files of the pids controller, alike in both versions: processes and threads count one each.
 *
 * Source  Documentation/admin-guide/cgroup-v1/pids.rst, Documentation/admin-guide/cgroup-v2.rst
 */
import { isErrno } from '@caisson/linux';
import type { Cgroup } from '@caisson/linux/cgroups';
import type { Limitation, ResourceStatistics, Resources } from '@caisson/plugin-sdk';

/** Undefined: nothing is said of it. JSON has no Infinity. */
export function limitOf(resources: Resources, limits: Resources): number | undefined {
  const pids: number | string | undefined = limits.pids ?? resources.pids;
  return pids === undefined ? undefined : Number(pids);
}

export const writeLimit = (cgroup: Cgroup, limit: number): void =>
  cgroup.write('pids.max', Number.isFinite(limit) ? limit : 'max');

/** Infinity for none. */
export const readLimit = (cgroup: Cgroup): number => cgroup.readNumber('pids.max');

/** Where the kernel tells events of this cgroup alone it is `.local`: of version 2, since Linux 6.11. */
export const eventsFile = (cgroup: Cgroup): string =>
  ifThere(() => cgroup.read('pids.events.local')) === undefined ? 'pids.events' : 'pids.events.local';

/** How often a fork was refused because of the limit. */
export const readRefused = (cgroup: Cgroup): number => cgroup.readFields(eventsFile(cgroup)).max ?? 0;

type PidsStatistics = Pick<
  ResourceStatistics,
  'pids_current' | 'pids_peak' | 'pids_limit' | 'pids_refused_forks'
>;

/** The peak is there since Linux 6.1. */
export function readStatistics(cgroup: Cgroup): PidsStatistics {
  const [peak, limit] = [ifThere(() => cgroup.readNumber('pids.peak')), readLimit(cgroup)];
  return {
    pids_current: cgroup.readNumber('pids.current'),
    ...(peak !== undefined && { pids_peak: peak }),
    ...(Number.isFinite(limit) && { pids_limit: limit }),
    pids_refused_forks: readRefused(cgroup),
  };
}

export function limitationOf(cgroup: Cgroup): Limitation {
  const { pids_current, pids_peak = pids_current, pids_limit, pids_refused_forks } = readStatistics(cgroup);
  return {
    reason: 'REASON_CONTAINER_LIMITATION',
    message:
      `Process limit exceeded: Requested: ${pids_limit ?? 'unlimited'} Maximum Used: ${pids_peak} ` +
      `(processes and threads; refused forks: ${pids_refused_forks})`,
    ...(pids_limit !== undefined && { resources: { pids: pids_limit } }),
  };
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
