/**
 * From cpus to what the kernel takes. Pure functions; the numbers are those of Mesos.
 *
 * Source  Documentation/scheduler/sched-bwc.rst, Documentation/admin-guide/cgroup-v2.rst (cpu.weight, cpu.max)
 */
import type { Resources } from '@caisson/plugin-sdk';

const SHARES_PER_CPU = 1024;
const FEWEST_SHARES = 2;
/** The kernel takes more and uses this. */
const MOST_SHARES = 1 << 18;
const WEIGHT_PER_CPU = 100;
const [LEAST_WEIGHT, MOST_WEIGHT] = [1, 10_000];
export const PERIOD_US = 100_000;
const SHORTEST_QUOTA_US = 1_000;

const between = (least: number, value: number, most: number): number =>
  Math.min(Math.max(value, least), most);

/** Resources are fixed point with three decimals: 0.29 * 100 would be 28.99. */
const times = (cpus: number, factor: number): number => Math.floor((Math.round(cpus * 1000) * factor) / 1000);

/** `cpu.shares` of version 1. */
export const sharesOf = (cpus: number): number =>
  between(FEWEST_SHARES, times(cpus, SHARES_PER_CPU), MOST_SHARES);

/** `cpu.weight` of version 2. */
export const weightOf = (cpus: number): number =>
  between(LEAST_WEIGHT, times(cpus, WEIGHT_PER_CPU), MOST_WEIGHT);

/** Microseconds of each period; Infinity for no limit. */
export const quotaUsOf = (cpus: number): number =>
  cpus === Number.POSITIVE_INFINITY ? cpus : Math.max(times(cpus, PERIOD_US), SHORTEST_QUOTA_US);

/** What a container gets. Undefined is: leave it as it is. */
export interface CpuAllocation {
  /** For its share when others want the processors too. */
  readonly request: number | undefined;
  /** Infinity for none. */
  readonly limit: number | undefined;
}

/** JSON has no Infinity. */
const amount = (value: number | string | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);

/** An allocation that says nothing of cpus changes nothing of them. */
export function allocationOf(resources: Resources, limits: Resources, enableCfs: boolean): CpuAllocation {
  const request = amount(resources.cpus);
  const limit = amount(limits.cpus) ?? (enableCfs ? request : undefined);
  const none = request === undefined ? undefined : Number.POSITIVE_INFINITY;
  return { request, limit: limit ?? none };
}
