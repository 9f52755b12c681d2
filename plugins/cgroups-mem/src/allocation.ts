/** From mem to what the kernel takes. Pure functions; the numbers are those of Mesos. */
import type { Resources } from '@caisson/plugin-sdk';

export const MIB = 2 ** 20;
/** Less would not even start a shell. */
const LEAST_BYTES = 32 * MIB;

/** In bytes; Infinity for no limit. Undefined is: leave it as it is. */
export interface MemoryAllocation {
  /** What the kernel leaves to the container when the host is short of memory. */
  readonly softBytes: number | undefined;
  readonly hardBytes: number | undefined;
}

/** Resources are fixed point with three decimals; JSON has no Infinity. */
function bytesOf(mem: number | string | undefined): number | undefined {
  if (mem === undefined) return undefined;
  const bytes = Math.floor((Math.round(Number(mem) * 1000) * MIB) / 1000);
  return Math.max(bytes, LEAST_BYTES);
}

/** An allocation that says nothing of memory changes nothing of it. */
export const allocationOf = (resources: Resources, limits: Resources): MemoryAllocation => ({
  softBytes: bytesOf(resources.mem),
  hardBytes: bytesOf(limits.mem ?? resources.mem),
});

/**
 * Who uses more than it requested is the first to go when the host runs out of memory: the less it requested, the sooner.
 * Undefined for a container that cannot use more.
 */
export function oomScoreAdjOf(
  { mem: request }: Resources,
  limits: Resources,
  totalBytes: number,
): number | undefined {
  const limit = limits.mem === undefined ? request : Number(limits.mem);
  if (request === undefined || limit === undefined || limit <= request) return undefined;
  return Math.max(1000 - Math.floor((1000 * request * MIB) / totalBytes), 0);
}
