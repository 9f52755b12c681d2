import type { Cgroup } from '@caisson/linux/cgroups';
import { type CpuAllocation, PERIOD_US, quotaUsOf, sharesOf, weightOf } from './allocation.js';

/** Writes an allocation to the container's cgroup of either version. */
export function applyAllocation(cgroup: Cgroup, { request, limit }: CpuAllocation): void {
  if (request !== undefined) writeRequest(cgroup, request);
  if (limit !== undefined) writeQuota(cgroup, quotaUsOf(limit));
}

function writeRequest(cgroup: Cgroup, cpus: number): void {
  if (cgroup.hierarchy.version === 1) cgroup.write('cpu.shares', sharesOf(cpus));
  else cgroup.write('cpu.weight', weightOf(cpus));
}

function writeQuota(cgroup: Cgroup, quotaUs: number): void {
  const unlimited = quotaUs === Number.POSITIVE_INFINITY;
  if (cgroup.hierarchy.version === 2) {
    cgroup.write('cpu.max', `${unlimited ? 'max' : quotaUs} ${PERIOD_US}`);
    return;
  }
  cgroup.write('cpu.cfs_period_us', PERIOD_US);
  cgroup.write('cpu.cfs_quota_us', unlimited ? -1 : quotaUs);
}
