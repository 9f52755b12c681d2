import type { Termination } from '@caisson/plugin-sdk';
import { toWireResources } from '../calls/resources.js';

/**
 * How a container ended, as WAIT_CONTAINER says it. `state` and `reason` have values of Mesos or none: a container that
 * ended by itself has none. What the core calls it is `cause`.
 */
export function terminationView({ status, exitCode, signal, reason, message, limitation }: Termination) {
  return {
    ...(status !== undefined && { exit_status: status }),
    ...(limitation && { state: 'TASK_FAILED' }),
    ...(reason.startsWith('REASON_') && { reason }),
    ...(message !== undefined && { message }),
    ...(limitation?.resources && { limitation: { resources: toWireResources(limitation.resources) } }),
    cause: reason,
    ...(exitCode !== undefined && { exit_code: exitCode }),
    ...(signal !== undefined && { signal }),
  };
}
