import { type CallTable, type DataPointer, Label, type ResultReference } from '@caisson/linux/exec-stage';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { DESCRIPTOR, FIRST_EXTRA, type LaunchTable } from '../launch-table.js';
import type { PipeEnds } from '../pipes.js';
import type { LaunchStep } from '../step.js';
import { DOOR_SIGNAL, makesPidNamespace } from './enter-pid-namespace.js';
import { entersPidNamespace } from './join-namespaces.js';
import { restoreAffinityOf } from './restore-affinity.js';

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
 * file (and the agent's side of a terminal or pipes, so that these outlive the agent), waits, and writes how it ended.
 */
export const supervise: LaunchStep = {
  name: 'supervise',
  only: 'spawned',
  compile(plan, table) {
    const container = table.container as ResultReference;
    table.place(table.supervisor);
    table.call('write', [DESCRIPTOR.report, table.addressOf(container), PID_BYTES]);
    restoreAffinityOf(table);
    table.call('close_range', [0, DESCRIPTOR.image, 0]);
    closeExcept(heldDescriptors(plan, table), (first, last) => table.call('close_range', [first, last, 0]));
    // The agent's working directory would keep its filesystem busy.
    table.call('chdir', [table.string('/')]);
    if (entersPidNamespace(plan)) waitForJoiner(container, table);
    const end = { hasDoor: makesPidNamespace(plan), statusFile: DESCRIPTOR.status };
    waitForEnd(entersPidNamespace(plan) ? undefined : container, table, end);
  },
};

function heldDescriptors({ stdio }: LaunchPlanData, table: LaunchTable): number[] {
  if (stdio === 'terminal') return [table.descriptor('master')];
  return stdio === 'pipes' ? Object.values(heldPipes(table)) : [];
}

/** The numbers that the agent's ends of the pipes have in the supervisor. */
export const heldPipes = (table: LaunchTable): PipeEnds => ({
  stdin: table.descriptor('stdin'),
  stdout: table.descriptor('stdout'),
  stderr: table.descriptor('stderr'),
});

/**
 * Waits, and tells whether the command was executed: execve(2) resets the termination signal to SIGCHLD, and a child
 * without it is found by wait4(2) with __WCLONE alone. A pipe that closes could be a death as well as an exec (N11).
 */
export function waitForEnd(
  pid: ResultReference | undefined,
  table: CallTable,
  { hasDoor, statusFile }: { readonly hasDoor: boolean; readonly statusFile: number },
): void {
  const [again, executed] = [new Label('wait again'), new Label('executed')];
  const info = table.memory(INFO_BYTES);
  const [kind, id] = pid ? [P_PID, pid] : [P_ALL, 0];
  table.place(again);
  const options = WEXITED | WNOWAIT | __WALL;
  table.call('waitid', [kind, id, info, options, 0], { tolerate: ['EINTR'], orElse: again });
  const early = statusMemory(ENDED.beforeExec, table);
  const wait = [pid ?? -1, early, __WCLONE | WNOHANG, 0];
  const found = table.call('wait4', wait, { tolerate: ['ECHILD'], orElse: executed });
  if (hasDoor) {
    // It was executed, and the door that made its pid namespace is still there; or the door is what has ended.
    table.jumpIfEqual(found, 0, executed);
    table.jumpIfEqual(table.compute(table.valueAt(early), { mask: 0xffff }), DOOR_SIGNAL, again);
  }
  leave(early, table, statusFile, hasDoor);
  table.place(executed);
  const status = statusMemory(ENDED.executed, table);
  table.call('wait4', [pid ?? -1, status, 0, 0]);
  leave(status, table, statusFile, hasDoor);
}

/** What the status file will hold, but for the wait status, which wait4(2) puts into its first four bytes. */
function statusMemory(how: number, table: CallTable): DataPointer {
  const record = Buffer.alloc(STATUS_BYTES);
  record.writeUInt32LE(how, 4);
  return table.bytes(record);
}

/** In one write: killed between two, a supervisor would leave half a status. */
function leave(status: DataPointer, table: CallTable, statusFile: number, hasDoor = false): void {
  table.call('pwrite64', [statusFile, status, STATUS_BYTES, 0], { expect: STATUS_BYTES });
  // A container may be over before its door is. Nobody else would reap that, and the parent's pid namespace could not end.
  if (hasDoor) table.call('wait4', [-1, 0, __WALL, 0], { tolerate: ['ECHILD', 'EINTR'] });
  table.call('exit_group', [0]);
}

/** The process that stayed outside has ended: if well, it has left the container to us; if not, its end is the status. */
function waitForJoiner(joiner: ResultReference, table: CallTable): void {
  const [again, joined] = [new Label('wait again'), new Label('joined')];
  const status = statusMemory(ENDED.beforeExec, table);
  table.place(again);
  table.call('wait4', [joiner, status, __WALL, 0], { tolerate: ['EINTR'], orElse: again });
  table.jumpIfEqual(table.compute(table.valueAt(status), { mask: 0xffff }), 0, joined);
  leave(status, table, DESCRIPTOR.status);
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
