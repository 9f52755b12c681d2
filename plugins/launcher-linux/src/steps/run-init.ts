import { Label } from '@caisson/linux/exec-stage';
import { PR } from '@caisson/linux/syscalls';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { dieWithSupervisor } from './become-user.js';

const CLONE_PARENT_SETTID = 0x100000;
const SIG_BLOCK = 0;
const LAST_DESCRIPTOR = 0xffff_ffff;
const INFO_BYTES = 128;
const P_ALL = 0;
const [WNOHANG, WEXITED, WNOWAIT] = [1, 4, 0x01000000];
const [__WCLONE, __WALL] = [0x80000000, 0x40000000];
const SECCOMP_MODE_STRICT = 1;

/**
 * Step start-init: the first process clones the command and stays as an init that reaps whatever is left to it. Where
 * the command's own pid namespace does not make it one, it becomes a subreaper.
 */
export const startInit: LaunchStep = {
  name: 'start-init',
  needed: ({ init }) => init,
  compile(plan, table) {
    if (!plan.namespaces.create.includes('pid')) table.call('prctl', [PR.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0]);
    // The kernel stores the command's pid where the loop below compares with it. No SIGCHLD until it is executed: see there.
    const command = table.operandOf(table.init.compare);
    table.call('clone', [CLONE_PARENT_SETTID, 0, command, 0, 0], { jumpIfNotZero: table.init.start });
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
    leaveIfNotExecuted(table, status, wait);
    const ended = table.call('wait4', [-1, status, 0, 0], { tolerate: ['EINTR'], orElse: wait });
    table.place(table.init.compare);
    table.jumpIfEqual(ended, 0, done);
    table.jump(wait);
    table.place(done);
    leaveWithStatus(table, status, killed);
  },
};

/**
 * A child that is found with __WCLONE alone is a command that was not executed (step supervise; what is left to an init is not:
 * it gets SIGCHLD). If its record tells why, the init leaves as ever; if it was killed, so is the init, which is no exit code
 * that a command could have (N11). The first process of a pid namespace cannot kill itself but by a call that it gave up.
 */
function leaveIfNotExecuted(
  table: LaunchTable,
  status: ReturnType<LaunchTable['memory']>,
  wait: Label,
): void {
  const [executed, killed] = [new Label('executed'), new Label('killed before')];
  const options = WEXITED | WNOWAIT | __WALL;
  const any = [P_ALL, 0, table.memory(INFO_BYTES), options, 0];
  table.call('waitid', any, { tolerate: ['EINTR'], orElse: wait });
  const early = [-1, status, __WCLONE | WNOHANG, 0];
  const found = table.call('wait4', early, { tolerate: ['ECHILD'], orElse: executed });
  table.jumpIfEqual(found, 0, executed);
  table.jumpIfNotZero(table.compute(table.valueAt(status), { mask: 0x7f }), killed);
  table.call('exit_group', [table.compute(table.valueAt(status), { mask: 0xff00, shift: 8 })]);
  table.place(killed);
  table.call('prctl', [PR.PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0]);
  table.call('getpid', []);
  table.place(executed);
}

function leaveWithStatus(table: LaunchTable, status: ReturnType<LaunchTable['memory']>, killed: Label): void {
  const signal = table.compute(table.valueAt(status), { mask: 0x7f });
  table.jumpIfNotZero(signal, killed);
  table.call('exit_group', [table.compute(table.valueAt(status), { mask: 0xff00, shift: 8 })]);
  table.place(killed);
  table.call('exit_group', [table.compute(signal, { add: 128 })]);
}
