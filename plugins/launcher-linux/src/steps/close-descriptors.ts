import { DESCRIPTOR } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const CLOSE_RANGE_CLOEXEC = 4;
const LAST_DESCRIPTOR = 0xffff_ffff;

/**
 * Step close-descriptors: once the mounts are made and before any path of the container's choice is entered. Those that
 * the mounts were made with lead into the host's tree (threat model N3: CVE-2024-21626). 0, 1 and 2 go on; the report
 * closes with exec, which tells the agent of it (N11). The gate is still to come.
 */
export const closeDescriptors: LaunchStep = {
  name: 'close-descriptors',
  compile(_plan, table) {
    table.call('close_range', [DESCRIPTOR.image, LAST_DESCRIPTOR, 0]);
    table.call('close_range', [DESCRIPTOR.report, DESCRIPTOR.report, CLOSE_RANGE_CLOEXEC]);
  },
};
