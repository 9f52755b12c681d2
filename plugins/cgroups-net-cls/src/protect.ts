import type { LaunchPlan } from '@caisson/plugin-sdk';

/**
 * A container without a root filesystem sees the host's tree, and in it the hierarchy: who can write there gives himself any
 * class (C1). Below /sys it is read-only already (filesystem/linux). Without a mount namespace nothing can be done.
 */
export function keepReadOnly(plan: LaunchPlan, mountPoint: string): void {
  const { rootfs, privileged, namespaces } = plan.data;
  const sees = rootfs === undefined && namespaces.create.includes('mount');
  if (sees && !privileged && !mountPoint.startsWith('/sys/')) plan.makeReadOnly(mountPoint);
}
