import { basename } from 'node:path';
import type { Cgroup } from './cgroup.js';

const CGROUP_ROOT = '/sys/fs/cgroup';
const READ_ONLY = ['ro', 'nosuid', 'nodev', 'noexec'] as const;

interface BindMount {
  readonly type: 'bind';
  readonly source: string;
  readonly target: string;
  readonly recursive: false;
  readonly flags: readonly (typeof READ_ONLY)[number][];
  readonly createTarget: 'directory';
}

/** What is needed of a plan; the SDK's LaunchPlan has it. */
export interface PlanForCgroups {
  readonly data: { readonly mounts: readonly { readonly type: string; readonly target: string }[] };
  mount(mount: BindMount): void;
  fileOperation(operation: { readonly kind: 'symlink'; readonly path: string; readonly to: string }): void;
}

/**
 * Lets a container with a root filesystem see its own cgroups where programs look for their limits: /sys/fs/cgroup/memory and
 * so on, in version 2 /sys/fs/cgroup itself. Read-only: what a container may write, it may undo.
 *
 * Nothing happens unless the plan has a tmpfs there: without a root filesystem the container sees the host's, read-only.
 */
export function showCgroups(plan: PlanForCgroups, cgroups: readonly Cgroup[]): void {
  if (!plan.data.mounts.some(({ type, target }) => type === 'tmpfs' && target === CGROUP_ROOT)) return;
  for (const cgroup of cgroups) {
    const name = basename(cgroup.hierarchy.mountPoint);
    const target = cgroup.hierarchy.version === 2 ? CGROUP_ROOT : `${CGROUP_ROOT}/${name}`;
    if (plan.data.mounts.some((mount) => mount.type === 'bind' && mount.target === target)) continue;
    const [source, flags] = [String(cgroup), READ_ONLY];
    plan.mount({ type: 'bind', source, target, recursive: false, flags, createTarget: 'directory' });
    if (cgroup.hierarchy.version === 1) linkControllers(plan, cgroup, name);
  }
}

/** Controllers that are mounted together, as `cpu,cpuacct`, are found by each name. */
function linkControllers(plan: PlanForCgroups, { hierarchy }: Cgroup, to: string): void {
  for (const controller of hierarchy.controllers)
    if (controller !== to) plan.fileOperation({ kind: 'symlink', path: `${CGROUP_ROOT}/${controller}`, to });
}
