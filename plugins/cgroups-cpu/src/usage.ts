import type { Cgroup } from '@caisson/linux/cgroups';
import type { ResourceStatistics } from '@caisson/plugin-sdk';

/** USER_HZ: what the kernel calls a clock tick towards programs, 100 on every architecture of ours. */
const TICKS_PER_SECOND = 100;
const [US, NS] = [1e6, 1e9];

/** Seconds of cpu time, of every process that is or was in the container: it never goes back. */
export function readCpuTime(
  cgroup: Cgroup,
): Pick<ResourceStatistics, 'cpus_user_time_secs' | 'cpus_system_time_secs'> {
  if (cgroup.hierarchy.version === 1) {
    const { user = 0, system = 0 } = cgroup.readFields('cpuacct.stat');
    return {
      cpus_user_time_secs: user / TICKS_PER_SECOND,
      cpus_system_time_secs: system / TICKS_PER_SECOND,
    };
  }
  const { user_usec = 0, system_usec = 0 } = cgroup.readFields('cpu.stat');
  return { cpus_user_time_secs: user_usec / US, cpus_system_time_secs: system_usec / US };
}

/** How often, and for how long, the container was held back by its limit. */
export function readThrottling(
  cgroup: Cgroup,
): Pick<ResourceStatistics, 'cpus_nr_periods' | 'cpus_nr_throttled' | 'cpus_throttled_time_secs'> {
  const fields = cgroup.readFields('cpu.stat');
  const { nr_periods = 0, nr_throttled = 0, throttled_time = 0, throttled_usec = 0 } = fields;
  return {
    cpus_nr_periods: nr_periods,
    cpus_nr_throttled: nr_throttled,
    cpus_throttled_time_secs: cgroup.hierarchy.version === 1 ? throttled_time / NS : throttled_usec / US,
  };
}

/** Processes and threads in the container and in what is nested in it. */
export function countProcesses(cgroup: Cgroup): Pick<ResourceStatistics, 'processes' | 'threads'> {
  const file = cgroup.hierarchy.version === 1 ? 'tasks' : 'cgroup.threads';
  const threads = cgroup.subtree().map((each) => each.read(file).split('\n').filter(Boolean).length);
  return { processes: cgroup.allPids().length, threads: threads.reduce((sum, count) => sum + count, 0) };
}
