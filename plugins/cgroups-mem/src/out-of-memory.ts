/**
 * Whether a container ran into its own limit, and what there is to say of it.
 *
 * A cgroup of version 1 is also told when one above it is out of memory, and `oom_kill` counts processes that the host's own
 * shortage killed; so both ask whether the limit of this very cgroup was hit.
 */
import type { Cgroup } from '@caisson/linux/cgroups';
import { formatBytes, type Limitation } from '@caisson/plugin-sdk';
import { MIB } from './allocation.js';
import { readHardLimit } from './controls.js';
import { readIfThere } from './usage.js';

/** `.local` leaves out what is nested; it is there since Linux 5.2. */
export const eventsFile = (cgroup: Cgroup): string =>
  readsLocal(cgroup) ? 'memory.events.local' : 'memory.events';

const readsLocal = (cgroup: Cgroup): boolean => {
  try {
    cgroup.read('memory.events.local');
    return true;
  } catch {
    return false;
  }
};

/** The limit was hit so hard that a process was killed, or nobody could be: at any time since the container began. */
export function wasOutOfMemory(cgroup: Cgroup): boolean {
  if (cgroup.hierarchy.version === 2) return (cgroup.readFields(eventsFile(cgroup)).oom ?? 0) > 0;
  const { oom_kill = 0, under_oom = 0 } = cgroup.readFields('memory.oom_control');
  return (oom_kill > 0 || under_oom > 0) && reachedLimit(cgroup);
}

/** Version 1: what allocations the limit of this cgroup has refused, before anything was reclaimed for them. */
export const reachedLimit = (cgroup: Cgroup): boolean => cgroup.readNumber('memory.failcnt') > 0;

/** The wording is that of Mesos; memory.stat helps whoever has to find out why. */
export function limitationOf(cgroup: Cgroup): Limitation {
  const unified = cgroup.hierarchy.version === 2;
  const limit = readHardLimit(cgroup);
  const used = readIfThere(cgroup, unified ? 'memory.peak' : 'memory.max_usage_in_bytes') ?? limit;
  const exceeded = unified ? limit : used;
  return {
    reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    message: [
      `Memory limit exceeded: Requested: ${sizeOf(limit)} Maximum Used: ${sizeOf(used)}`,
      '',
      'MEMORY STATISTICS: ',
      cgroup.read('memory.stat'),
    ].join('\n'),
    ...(Number.isFinite(exceeded) && { resources: { mem: Math.round((exceeded / MIB) * 1000) / 1000 } }),
  };
}

const sizeOf = (bytes: number): string => (Number.isFinite(bytes) ? formatBytes(bytes) : 'unlimited');
