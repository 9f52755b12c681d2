import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/** What a plan may say and this launcher cannot do: refused before anything is created. */
export function refuseUnsupported(id: string, plan: LaunchPlanData): void {
  const problem = problemOf(plan);
  if (problem) throw errors.PLAN_UNSUPPORTED(id, problem);
}

function problemOf({
  namespaces,
  mounts,
  rootfs,
  maskedPaths,
  readOnlyPaths,
  fileOperations,
  init,
}: LaunchPlanData): string | undefined {
  const creates = (kind: string) => namespaces.create.some((created) => created === kind);
  const enters = (kind: string) => namespaces.enter.some((entered) => entered.kind === kind);
  const changes = [...mounts, ...maskedPaths, ...readOnlyPaths, ...fileOperations];
  const changesMounts = changes.length > 0 || rootfs !== undefined;
  if (changesMounts && !creates('mount'))
    return 'mount or make anything without a mount namespace of the container: enable filesystem/linux';
  // Created first, entered later: the mounts, and a new root, would be those of the container that is entered.
  const both = namespaces.create.find(enters);
  if (both) return `enter a ${both} namespace and create one in one launch`;
  if (enters('pid') && creates('mount'))
    return 'enter a pid namespace and create a mount namespace in one launch';
  if (enters('pid') && init) return 'start an init in a pid namespace that has one';
  if (creates('time')) return 'create a time namespace';
  return undefined;
}
