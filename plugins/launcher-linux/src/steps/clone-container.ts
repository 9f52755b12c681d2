import { CLONE, PR } from '@caisson/linux/syscalls';
import type { LaunchPlanData, NamespaceKind } from '@caisson/plugin-sdk';
import { DESCRIPTOR } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

// No SIGCHLD: until exec, which sets it, the process is a "clone child" to wait4(2): the step supervise tells by it.
const NO_EXIT_SIGNAL = 0;
const SIGKILL = 9;

export const CLONE_FLAGS: Readonly<Record<NamespaceKind, number>> = {
  mount: CLONE.CLONE_NEWNS,
  pid: CLONE.CLONE_NEWPID,
  ipc: CLONE.CLONE_NEWIPC,
  uts: CLONE.CLONE_NEWUTS,
  net: CLONE.CLONE_NEWNET,
  cgroup: CLONE.CLONE_NEWCGROUP,
  time: CLONE.CLONE_NEWTIME,
};

/** Of the first process of a container: clone(2). */
export const cloneFlags = ({ namespaces }: Pick<LaunchPlanData, 'namespaces'>): number =>
  namespaces.create.reduce((bits, kind) => bits | CLONE_FLAGS[kind], NO_EXIT_SIGNAL);

/** In the fork server, which has no mounts to copy: who wants the host's gets them in the step return-to-host. */
export const forkFlags = (plan: Pick<LaunchPlanData, 'namespaces' | 'rootfs'>): number =>
  plan.rootfs === undefined ? cloneFlags(plan) & ~CLONE.CLONE_NEWNS : cloneFlags(plan);

/** Step clone-container: the first process of the container, in its new namespaces; the parent is the supervisor. */
export const cloneContainer: LaunchStep = {
  name: 'clone-container',
  only: 'spawned',
  compile(plan, table) {
    table.container = table.call('clone', [cloneFlags(plan), 0, 0, 0, 0], {
      jumpIfNotZero: table.supervisor,
    });
    // From here on in the child. The status file is the supervisor's alone (threat model A6).
    table.call('close', [DESCRIPTOR.status]);
    table.call('prctl', [PR.PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
    // kill(0) crosses pid namespaces: a container in the supervisor's process group could signal it (threat model N1).
    table.call('setsid', []);
    // The plan's modes are meant as they are written; the container itself gets 022 (step set-limits).
    table.call('umask', [0]);
  },
};
