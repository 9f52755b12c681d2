/**
 * Requests and limits in the control files of either version.
 *
 * Source  Documentation/admin-guide/cgroup-v1/memory.rst, Documentation/admin-guide/cgroup-v2.rst
 */
import { isErrno } from '@caisson/linux';
import type { Cgroup } from '@caisson/linux/cgroups';
import type { MemoryAllocation } from './allocation.js';
import { errors } from './errors.js';

/** Version 1 says "no limit" with the highest multiple of a page. */
const HIGHEST = 2 ** 62;
const V1 = { soft: 'memory.soft_limit_in_bytes', hard: 'memory.limit_in_bytes' };
const SWAP_SUM = 'memory.memsw.limit_in_bytes';

const text = (bytes: number, none: string | number): string | number =>
  bytes === Number.POSITIVE_INFINITY ? none : bytes;

export const readUsed = (cgroup: Cgroup): number =>
  cgroup.readNumber(cgroup.hierarchy.version === 1 ? 'memory.usage_in_bytes' : 'memory.current');

/** Infinity for none. */
export function readHardLimit(cgroup: Cgroup): number {
  const bytes = cgroup.readNumber(cgroup.hierarchy.version === 1 ? V1.hard : 'memory.max');
  return bytes >= HIGHEST ? Number.POSITIVE_INFINITY : bytes;
}

/**
 * Writes an allocation. The hard limit is only raised, once there is one: a container that runs keeps what it was promised.
 *
 * @throws LIMIT_BELOW_USE  SyscallError ENOENT of `memory.memsw.limit_in_bytes`: the kernel does not count swap
 */
export function applyAllocation(
  cgroup: Cgroup,
  { softBytes, hardBytes }: MemoryAllocation,
  limitSwap: boolean,
): void {
  const present = readHardLimit(cgroup);
  const raised = hardBytes !== undefined && (present === Number.POSITIVE_INFINITY || hardBytes > present);
  if (raised) requireUnused(cgroup, hardBytes);
  if (cgroup.hierarchy.version === 1) {
    if (softBytes !== undefined) cgroup.write(V1.soft, text(softBytes, -1));
    if (raised) writeHardV1(cgroup, hardBytes, hardBytes > present, limitSwap);
    return;
  }
  if (softBytes !== undefined) cgroup.write('memory.low', text(softBytes, 'max'));
  if (raised) cgroup.write('memory.max', text(hardBytes, 'max'));
  if (limitSwap) withoutSwap(cgroup);
}

/** Version 1 would refuse it (EBUSY) where it cannot reclaim, version 2 would kill. */
function requireUnused(cgroup: Cgroup, bytes: number): void {
  const used = readUsed(cgroup);
  if (used > bytes) throw errors.LIMIT_BELOW_USE(String(cgroup), bytes, used);
}

/** The sum is never below the limit of memory alone (EINVAL): it goes up first, and down last. */
function writeHardV1(cgroup: Cgroup, bytes: number, up: boolean, limitSwap: boolean): void {
  const files = limitSwap ? (up ? [SWAP_SUM, V1.hard] : [V1.hard, SWAP_SUM]) : [V1.hard];
  for (const file of files) cgroup.write(file, text(bytes, -1));
}

/** Version 2 limits swap alone. A kernel without swap has no such file, and needs none. */
function withoutSwap(cgroup: Cgroup): void {
  try {
    cgroup.write('memory.swap.max', 0);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
