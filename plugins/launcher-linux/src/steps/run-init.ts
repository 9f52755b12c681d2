import { Label } from '@caisson/linux/exec-stage';
import { PR } from '@caisson/linux/syscalls';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { dieWithSupervisor } from './become-user.js';

const SIGCHLD = 17;
const CLONE_PARENT_SETTID = 0x100000;
const SIG_BLOCK = 0;
const LAST_DESCRIPTOR = 0xffff_ffff;

/**
 * Step start-init: the first process clones the command and stays as an init that reaps whatever is left to it. Where
 * the command's own pid namespace does not make it one, it becomes a subreaper.
 */
export const startInit: LaunchStep = {
  name: 'start-init',
  needed: ({ init }) => init,
  compile(plan, table) {
    if (!plan.namespaces.create.includes('pid')) table.call('prctl', [PR.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0]);
    // The kernel stores the command's pid where the loop below compares with it.
    const flags = SIGCHLD | CLONE_PARENT_SETTID;
    const command = table.operandOf(table.init.compare);
    table.call('clone', [flags, 0, command, 0, 0], { jumpIfNotZero: table.init.start });
    dieWithSupervisor(table);
  },
};

/** Step run-init: waits for any child until the command has ended, and leaves with its status as a shell does. */
export const runInit: LaunchStep = {
  name: 'run-init',
  needed: ({ init }: LaunchPlanData) => init,
  compile(_plan, table) {
    table.place(table.init.start);
    table.call('close_range', [0, LAST_DESCRIPTOR, 0]);
    // A terminal's SIGINT is for the command; pid 1 ignores it anyway, a subreaper does not.
    table.call('rt_sigprocmask', [SIG_BLOCK, table.bytes(Buffer.alloc(8, 0xff)), 0, 8]);
    const status = table.memory(8);
    const [wait, done, killed] = [new Label('wait'), new Label('command ended'), new Label('killed')];
    table.place(wait);
    const ended = table.call('wait4', [-1, status, 0, 0], { tolerate: ['EINTR'], orElse: wait });
    table.place(table.init.compare);
    table.jumpIfEqual(ended, 0, done);
    table.jump(wait);
    table.place(done);
    leaveWithStatus(table, status, killed);
  },
};

function leaveWithStatus(table: LaunchTable, status: ReturnType<LaunchTable['memory']>, killed: Label): void {
  const signal = table.compute(table.valueAt(status), { mask: 0x7f });
  table.jumpIfNotZero(signal, killed);
  table.call('exit_group', [table.compute(table.valueAt(status), { mask: 0xff00, shift: 8 })]);
  table.place(killed);
  table.call('exit_group', [table.compute(signal, { add: 128 })]);
}
