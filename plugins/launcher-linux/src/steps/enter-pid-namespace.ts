/**
 * How a launch gets into the pid namespace of another container. What waits at the gate stays outside, and is seen by nobody
 * in there (threat model N5); its child is born inside. A pid namespace within that one can only be made by a process that
 * is in it itself (clone(2), EINVAL otherwise): a door, which makes it and ends at once.
 *
 *     supervisor                 joiner, outside              door, inside              the container
 *     waits for all three        mounts, gate, user
 *                                clone -------------------->  clone(CLONE_NEWPID) ---->  its /proc, execve
 *                                ends                         ends
 *
 * All have the supervisor for parent (CLONE_PARENT): the container's end is its to tell.
 */
import { AT_FDCWD, CLONE, O } from '@caisson/linux/syscalls';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchStep } from '../step.js';
import { dieWithSupervisor } from './become-user.js';
import { entersPidNamespace } from './join-namespaces.js';

/** How a door ends, so that the supervisor knows it: SIGRTMAX, which nothing else of a launch ends by. */
export const DOOR_SIGNAL = 64;

export const makesPidNamespace = (plan: LaunchPlanData): boolean =>
  entersPidNamespace(plan) && plan.namespaces.create.includes('pid');

/** Step enter-pid-namespace: of here on the process can be seen, traced and signalled by root of the container around it. */
export const enterPidNamespace: LaunchStep = {
  name: 'enter-pid-namespace',
  compile(plan, table) {
    table.call('clone', [CLONE.CLONE_PARENT, 0, 0, 0, 0], { jumpIfNotZero: table.joiner });
    if (makesPidNamespace(plan)) {
      const flags = CLONE.CLONE_PARENT | CLONE.CLONE_NEWPID;
      table.call('clone', [flags, 0, 0, 0, 0], { jumpIfNotZero: table.door });
    }
    dieWithSupervisor(table);
  },
};

/** Step own-session: the one of the joiner ends with it, and is none that the pid namespace knows (threat model N1). */
export const ownSession: LaunchStep = {
  name: 'own-session',
  compile: (_plan, table) => void table.call('setsid', []),
};

/** Step hold-root: every descriptor of the mounts that were made outside is closed; what is left to mount starts at `/`. */
export const holdRoot: LaunchStep = {
  name: 'hold-root',
  compile(_plan, table) {
    const flags = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;
    table.root = table.call('openat', [AT_FDCWD, table.string('/'), flags, 0]);
    table.held.cover('/');
  },
};

/** Step leave-door: told apart from the container by how it ends. */
export const leaveDoor: LaunchStep = {
  name: 'leave-door',
  needed: makesPidNamespace,
  compile(_plan, table) {
    table.place(table.door);
    table.call('kill', [table.call('getpid', []), DOOR_SIGNAL]);
  },
};

/** Step leave-joiner: what stayed outside ends. */
export const leaveJoiner: LaunchStep = {
  name: 'leave-joiner',
  compile(_plan, table) {
    table.place(table.joiner);
    table.call('exit_group', [0]);
  },
};
