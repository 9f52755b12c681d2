import { CLONE, MS } from '@caisson/linux/syscalls';
import type { LaunchPlanData, NamespaceKind } from '@caisson/plugin-sdk';
import type { LaunchStep } from '../step.js';
import { CLONE_FLAGS } from './clone-container.js';

/** The mount namespace last: after it, paths are those of the container. */
const ORDER: readonly NamespaceKind[] = ['cgroup', 'ipc', 'uts', 'net', 'time', 'pid', 'mount'];

/** The name of the descriptor of a namespace to enter. */
export const namespaceDescriptor = (kind: NamespaceKind): string => `namespace ${kind}`;

export const enters = ({ namespaces }: LaunchPlanData, kind: NamespaceKind): boolean =>
  namespaces.enter.some((entered) => entered.kind === kind);

export const entersPidNamespace = (plan: LaunchPlanData): boolean => enters(plan, 'pid');

/**
 * Step join-namespaces: while the process has all capabilities. Joining a pid namespace moves only children (setns(2)):
 * nobody in it sees this process (threat model N5).
 */
export const joinNamespaces: LaunchStep = {
  name: 'join-namespaces',
  needed: ({ namespaces }) => namespaces.enter.length > 0,
  compile(plan, table) {
    for (const kind of ORDER)
      if (enters(plan, kind))
        table.call('setns', [table.descriptor(namespaceDescriptor(kind)), CLONE_FLAGS[kind]]);
  },
};

/**
 * Step copy-mounts: a mount namespace that begins as a copy of the one that was entered: what the parent sees, and from
 * here on the container's own. Whoever is in the parent may have made a mount shared, so it is detached as the first one was.
 */
export const copyMounts: LaunchStep = {
  name: 'copy-mounts',
  needed: (plan) => enters(plan, 'mount') && plan.namespaces.create.includes('mount'),
  compile(_plan, table) {
    table.call('unshare', [CLONE.CLONE_NEWNS]);
    table.call('mount', [table.string('none'), table.string('/'), 0, MS.MS_SLAVE | MS.MS_REC, 0]);
  },
};
