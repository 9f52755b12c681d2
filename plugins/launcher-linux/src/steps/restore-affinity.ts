import { Label } from '@caisson/linux/exec-stage';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { GATE_BYTE } from './wait-at-gate.js';

const MASK_BYTES = 128;

/** The agent's own processors again: the launch may have been on one alone. A cpuset may leave none of them (EINVAL). */
export function restoreAffinityOf(table: LaunchTable): void {
  table.call('sched_setaffinity', [0, MASK_BYTES, table.slot('affinity')], { tolerate: ['EINVAL'] });
}

/** Step restore-affinity: before the command, and whatever it starts, inherits it. An isolator may have chosen another one. */
export const restoreAffinity: LaunchStep = {
  name: 'restore-affinity',
  compile(_plan, table) {
    const chosen = new Label('chosen by an isolator');
    table.jumpIfEqual(table.valueAt(table.gateByte), GATE_BYTE.keepAffinity, chosen);
    restoreAffinityOf(table);
    table.place(chosen);
  },
};
