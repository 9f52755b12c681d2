import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const MASK_BYTES = 128;

/** The agent's own processors again: the launch may have been on one alone. A cpuset may leave none of them (EINVAL). */
export function restoreAffinityOf(table: LaunchTable): void {
  table.call('sched_setaffinity', [0, MASK_BYTES, table.slot('affinity')], { tolerate: ['EINVAL'] });
}

/** Step restore-affinity: before the command, and whatever it starts, inherits it. */
export const restoreAffinity: LaunchStep = {
  name: 'restore-affinity',
  compile: (_plan, table) => restoreAffinityOf(table),
};
