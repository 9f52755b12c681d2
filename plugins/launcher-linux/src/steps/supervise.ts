import { type DataPointer, Label, type ResultReference } from '@caisson/linux/exec-stage';
import { DESCRIPTOR, FIRST_EXTRA, type LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { entersPidNamespace } from './join-namespaces.js';

const PID_BYTES = 8;
const LAST_DESCRIPTOR = 0xffff_ffff;
/** wait status, and 4 bytes of zero. */
export const STATUS_BYTES = 8;

/**
 * Step supervise: what stays behind in the agent's namespaces. It tells the pid, lets go of everything but the status
 * file (and a terminal's master side, so that the terminal outlives the agent), waits, and writes how it ended.
 */
export const supervise: LaunchStep = {
  name: 'supervise',
  compile(plan, table) {
    const container = table.container as ResultReference;
    table.place(table.supervisor);
    table.call('write', [DESCRIPTOR.report, table.addressOf(container), PID_BYTES]);
    table.call('close_range', [0, DESCRIPTOR.image, 0]);
    const held = plan.stdio === 'terminal' ? [table.descriptor('master')] : [];
    closeExcept(held, (first, last) => table.call('close_range', [first, last, 0]));
    // The agent's working directory would keep its filesystem busy.
    table.call('chdir', [table.string('/')]);
    const status = table.memory(STATUS_BYTES);
    waitFor(container, status, table);
    if (entersPidNamespace(plan)) waitForJoined(status, table);
    table.call('pwrite64', [DESCRIPTOR.status, status, STATUS_BYTES, 0]);
    table.call('exit_group', [0]);
  },
};

function waitFor(pid: ResultReference | number, status: DataPointer, table: LaunchTable): void {
  const again = new Label('wait again');
  table.place(again);
  table.call('wait4', [pid, status, 0, 0], { tolerate: ['EINTR'], orElse: again });
}

/** The process that stayed outside has ended: if well, the container is the one it has left to us. */
function waitForJoined(status: DataPointer, table: LaunchTable): void {
  const failed = new Label('joining failed');
  table.jumpIfNotZero(table.valueAt(status), failed);
  waitFor(-1, status, table);
  table.place(failed);
}

function closeExcept(held: readonly number[], close: (first: number, last: number) => void): void {
  let first: number = FIRST_EXTRA;
  for (const fd of [...held].sort((a, b) => a - b)) {
    if (fd > first) close(first, fd - 1);
    first = fd + 1;
  }
  close(first, LAST_DESCRIPTOR);
}
