import { DESCRIPTOR } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

/**
 * Step wait-at-gate: behind it lie the container's credentials and its command; before it only calls of this table, so
 * they may run while the agent prepares to isolate. Goes on once the agent has written one byte. End of file is the agent's death, or its refusal: the
 * gate fails closed (threat model N6).
 */
export const waitAtGate: LaunchStep = {
  name: 'wait-at-gate',
  compile(_plan, table) {
    table.call('read', [DESCRIPTOR.gate, table.memory(8), 1], { expect: 1 });
    table.call('close', [DESCRIPTOR.gate]);
  },
};
