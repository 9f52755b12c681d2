import type { LaunchPlan } from '@caisson/plugin-sdk';

/** What tells about the host or its kernel more than a container should know, or is an old way out. */
export const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/key-users',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/firmware',
] as const;

/** What changes the host when written to: uid 0 needs no capability for that, only the file's permission. */
export const READ_ONLY_PATHS = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
] as const;

/**
 * Keeps uid 0 of the container away from the kernel's switches: without any capability it can still write a file that
 * belongs to uid 0, such as /proc/sys/kernel/core_pattern (threat model F5). What a kernel doesn't have is skipped.
 */
export function protectKernelPaths(plan: LaunchPlan): void {
  if (plan.data.privileged) return;
  for (const path of MASKED_PATHS) plan.maskPath(path);
  for (const path of READ_ONLY_PATHS) plan.makeReadOnly(path);
}

/**
 * Without a root filesystem /sys is the host's, with what is mounted below: a cgroup v1 `release_agent` is a program
 * that the host runs as root.
 */
export function protectHostSys(plan: LaunchPlan): void {
  if (!plan.data.privileged) plan.makeReadOnly('/sys');
}
