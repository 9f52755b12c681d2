import { DESCRIPTOR, FIRST_EXTRA } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const LAST_DESCRIPTOR = 0xffff_ffff;

/**
 * Step take-descriptors: only in a supervisor that waited for its launch. What it was sent took the lowest free numbers
 * (unix(7)): 0, 1 and 2 are right, the status file got the image's, the extras follow from FIRST_EXTRA as they shall.
 * Nothing else stays open (threat model N3).
 */
export const takeDescriptors: LaunchStep = {
  name: 'take-descriptors',
  compile(_plan, table) {
    if (!table.received) return;
    // In the place of the socket, which closes.
    table.call('dup3', [DESCRIPTOR.image, DESCRIPTOR.status, 0]);
    table.call('close', [DESCRIPTOR.image]);
    table.call('close_range', [FIRST_EXTRA + table.received.extras, LAST_DESCRIPTOR, 0]);
    // A spawned one inherits it.
    table.call('sched_setaffinity', [0, 128, table.slot('processor')], { tolerate: ['EINVAL'] });
  },
};
