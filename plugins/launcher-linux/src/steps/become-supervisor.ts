import { PR } from '@caisson/linux/syscalls';
import { DESCRIPTOR } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const SIGKILL = 9;

/** Step become-supervisor: the image runs, in the agent's namespaces, in a session of its own. */
export const becomeSupervisor: LaunchStep = {
  name: 'become-supervisor',
  only: 'spawned',
  compile({ dieWithParent }, table) {
    table.call('close', [DESCRIPTOR.image]);
    // Until exec, nobody of the container's user may trace it or open its /proc/<pid>/mem (prctl(2)).
    table.call('prctl', [PR.PR_SET_DUMPABLE, 0, 0, 0, 0]);
    if (!dieWithParent) return;
    table.call('prctl', [PR.PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
    // The agent may have died before the call above: then somebody else is the parent.
    table.call('getppid', [], { expect: table.slot('agentPid') });
  },
};
