import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { bindsInside } from './steps/part-of-plan.js';

/** What a plan may say and this launcher cannot do: refused before anything is created. */
export function refuseUnsupported(id: string, plan: LaunchPlanData): void {
  const problem = problemOf(plan);
  if (problem) throw errors.PLAN_UNSUPPORTED(id, problem);
}

function problemOf(plan: LaunchPlanData): string | undefined {
  const { namespaces, mounts, rootfs, maskedPaths, readOnlyPaths, fileOperations } = plan;
  const creates = (kind: string) => namespaces.create.some((created) => created === kind);
  const enters = (kind: string) => namespaces.enter.some((entered) => entered.kind === kind);
  const changes = [...mounts, ...maskedPaths, ...readOnlyPaths, ...fileOperations];
  const changesMounts = changes.length > 0 || rootfs !== undefined;
  if (changesMounts && !creates('mount'))
    return 'mount or make anything without a mount namespace of the container: enable filesystem/linux';
  // Of these two, one within the other that is entered, or as a copy of it.
  const both = namespaces.create.find((kind) => enters(kind) && kind !== 'pid' && kind !== 'mount');
  if (both) return `enter a ${both} namespace and create one in one launch`;
  if (rootfs !== undefined && enters('mount'))
    return 'take a root filesystem of the host and the tree of another container in one launch';
  if (enters('pid') && bindsInside(plan)) return 'bind anything below the /proc of a nested container';
  if (creates('time')) return 'create a time namespace';
  return undefined;
}
