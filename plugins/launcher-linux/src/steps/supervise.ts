import { type DataPointer, Label, type ResultReference } from '@caisson/linux/exec-stage';
import { DESCRIPTOR, FIRST_EXTRA, type LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { entersPidNamespace } from './join-namespaces.js';

const PID_BYTES = 8;
const LAST_DESCRIPTOR = 0xffff_ffff;
const INFO_BYTES = 128;
const P_PID = 1;
const P_ALL = 0;
const [WNOHANG, WEXITED, WNOWAIT] = [1, 4, 0x01000000];
const [__WCLONE, __WALL] = [0x80000000, 0x40000000];

/** The status file: the raw wait status, and one of these, both 32 bits. */
export const STATUS_BYTES = 8;
export const ENDED = { executed: 1, beforeExec: 2 } as const;

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
    if (entersPidNamespace(plan)) waitForJoiner(container, status, table);
    waitForEnd(entersPidNamespace(plan) ? undefined : container, status, table);
  },
};

/**
 * Waits, and tells whether the command was executed: execve(2) resets the termination signal to SIGCHLD, and a child
 * without it is found by wait4(2) with __WCLONE alone. A pipe that closes could be a death as well as an exec (N11).
 */
function waitForEnd(pid: ResultReference | undefined, status: DataPointer, table: LaunchTable): void {
  const [again, executed] = [new Label('wait again'), new Label('executed')];
  const info = table.memory(INFO_BYTES);
  const [kind, id] = pid ? [P_PID, pid] : [P_ALL, 0];
  table.place(again);
  const options = WEXITED | WNOWAIT | __WALL;
  table.call('waitid', [kind, id, info, options, 0], { tolerate: ['EINTR'], orElse: again });
  const early = [pid ?? -1, status, __WCLONE | WNOHANG, 0];
  table.call('wait4', early, { tolerate: ['ECHILD'], orElse: executed });
  leave(status, ENDED.beforeExec, table);
  table.place(executed);
  table.call('wait4', [pid ?? -1, status, 0, 0]);
  leave(status, ENDED.executed, table);
}

function leave(status: DataPointer, how: number, table: LaunchTable): void {
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(how, 0);
  table.call('pwrite64', [DESCRIPTOR.status, table.bytes(mark), 4, 4]);
  table.call('pwrite64', [DESCRIPTOR.status, status, 4, 0]);
  table.call('exit_group', [0]);
}

/** The process that stayed outside has ended: if well, it has left the container to us; if not, its end is the status. */
function waitForJoiner(joiner: ResultReference, status: DataPointer, table: LaunchTable): void {
  const [again, joined] = [new Label('wait again'), new Label('joined')];
  table.place(again);
  table.call('wait4', [joiner, status, __WALL, 0], { tolerate: ['EINTR'], orElse: again });
  table.jumpIfEqual(table.valueAt(status), 0, joined);
  leave(status, ENDED.beforeExec, table);
  table.place(joined);
}

function closeExcept(held: readonly number[], close: (first: number, last: number) => void): void {
  let first: number = FIRST_EXTRA;
  for (const fd of [...held].sort((a, b) => a - b)) {
    if (fd > first) close(first, fd - 1);
    first = fd + 1;
  }
  close(first, LAST_DESCRIPTOR);
}
