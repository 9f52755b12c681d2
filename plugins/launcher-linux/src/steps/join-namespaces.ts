import { CLONE } from '@caisson/linux/syscalls';
import type { LaunchPlanData, NamespaceKind } from '@caisson/plugin-sdk';
import { DESCRIPTOR } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { dieWithSupervisor } from './become-user.js';
import { CLONE_FLAGS } from './clone-container.js';

const PID_BYTES = 8;
/** The mount namespace last but for the pid namespace's clone: after it, paths are those of the container. */
const ORDER: readonly NamespaceKind[] = ['cgroup', 'ipc', 'uts', 'net', 'time', 'pid', 'mount'];

/** The name of the descriptor of a namespace to enter. */
export const namespaceDescriptor = (kind: NamespaceKind): string => `namespace ${kind}`;

export const entersPidNamespace = ({ namespaces }: LaunchPlanData): boolean =>
  namespaces.enter.some(({ kind }) => kind === 'pid');

/**
 * Step join-namespaces: while the process has all capabilities. Joining a pid namespace moves only children (setns(2)):
 * nobody in it sees this process (threat model N5).
 */
export const joinNamespaces: LaunchStep = {
  name: 'join-namespaces',
  needed: ({ namespaces }) => namespaces.enter.length > 0,
  compile({ namespaces }, table) {
    for (const kind of ORDER)
      if (namespaces.enter.some((entered) => entered.kind === kind))
        table.call('setns', [table.descriptor(namespaceDescriptor(kind)), CLONE_FLAGS[kind]]);
  },
};

/**
 * Step enter-pid-namespace: the last act. Credentials, limits and descriptors are the container's already; the new
 * process, which others in the namespace can see, only executes the command (threat model N5: CVE-2016-9962).
 */
export const enterPidNamespace: LaunchStep = {
  name: 'enter-pid-namespace',
  needed: entersPidNamespace,
  compile(_plan, table) {
    // Its parent shall be the supervisor, which waits for it.
    table.joined = table.call('clone', [CLONE.CLONE_PARENT, 0, 0, 0, 0], { jumpIfNotZero: table.joiner });
    dieWithSupervisor(table);
  },
};

/** Step leave-joiner: the process that stayed outside tells the pid and ends. */
export const leaveJoiner: LaunchStep = {
  name: 'leave-joiner',
  needed: entersPidNamespace,
  compile(_plan, table) {
    if (!table.joined) throw new Error('leave-joiner without enter-pid-namespace');
    table.place(table.joiner);
    table.call('write', [DESCRIPTOR.report, table.addressOf(table.joined), PID_BYTES]);
    table.call('exit_group', [0]);
  },
};
