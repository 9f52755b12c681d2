import type { Cgroup } from '@caisson/linux/cgroups';
import type { CpuTicks } from './cpu-account.js';

const TICKS_PER_MICROSECOND = 1e-4;

/**
 * The kernel's own count of a cgroup, with everybody who has ended: version 2 counts in each, version 1 where the
 * controller cpuacct is. Undefined for a cgroup of another hierarchy.
 *
 * @throws SyscallError  ENOENT, ENODEV: it is gone
 */
export function cgroupTime(cgroup: Cgroup): CpuTicks | undefined {
  if (cgroup.hierarchy.version === 2) {
    const { user_usec = 0, system_usec = 0 } = cgroup.readFields('cpu.stat');
    return { user: user_usec * TICKS_PER_MICROSECOND, system: system_usec * TICKS_PER_MICROSECOND };
  }
  if (!cgroup.hierarchy.controllers.includes('cpuacct')) return undefined;
  const { user = 0, system = 0 } = cgroup.readFields('cpuacct.stat');
  return { user, system };
}
