import { DESCRIPTOR } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

/** What opens the gate: `keepAffinity` where an isolator has given the process other processors than its launch had. */
export const GATE_BYTE = { open: 1, keepAffinity: 2 } as const;

/**
 * Step wait-at-gate: behind it lie the container's credentials and its command; before it only calls of this table, so
 * they may run while the agent prepares to isolate. Goes on once the agent has written one byte. End of file is the
 * agent's death, or its refusal: the gate fails closed (threat model N6).
 */
export const waitAtGate: LaunchStep = {
  name: 'wait-at-gate',
  compile({ dieWithParent }, table) {
    table.call('read', [DESCRIPTOR.gate, table.gateByte, 1], { expect: 1 });
    if (!dieWithParent) table.call('close', [DESCRIPTOR.gate]);
  },
};

/** A pollfd that asks for nothing: POLLHUP is told unasked (poll(2)). */
function hangUpOfGate(): Buffer {
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(DESCRIPTOR.gate, 0);
  return entry;
}

/**
 * Step stay-with-agent: a change of credentials clears the parent-death signal (prctl(2)). Had the agent and the supervisor
 * died before it was set again, nobody would end the container. The agent holds the gate open until exec.
 */
export const stayWithAgent: LaunchStep = {
  name: 'stay-with-agent',
  needed: ({ dieWithParent }) => dieWithParent,
  compile(_plan, table) {
    const atOnce = table.memory(16);
    table.call('ppoll', [table.bytes(hangUpOfGate()), 1, atOnce, 0, 8], { expect: 0 });
    table.call('close', [DESCRIPTOR.gate]);
  },
};
