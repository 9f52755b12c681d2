import { closeSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import { reapChild } from '@caisson/linux/process';
import { pidfdSendSignal } from '@caisson/linux/syscalls';
import { type Container, isCaissonError, type LaunchPlanData } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { type Child, identitiesOf, pidfdOfChild, pidfdOfGrandchild } from './children.js';
import type { CompiledLaunch } from './compile.js';
import { type LaunchDescriptors, statusFile } from './descriptors.js';
import { settlesWithin } from './end-container.js';
import { requireEntered } from './entered.js';
import { maySteal } from './entrances.js';
import { errors } from './errors.js';
import type { ForkContext } from './fork-context.js';
import { forkServerTable } from './fork-server-image.js';
import type { Gate } from './gate.js';
import { launchError } from './launch-error.js';
import { type LinuxLauncherState, LinuxProcess } from './linux-process.js';
import type { ReportMessage, ReportReader } from './report-reader.js';
import { forkSupervisor, type Started, spawnSupervisor, type UnderWay } from './start-supervisor.js';
import { entersPidNamespace } from './steps/join-namespaces.js';
import { heldPipes } from './steps/supervise.js';
import { readable } from './supervised.js';
import { createTrackingGroup } from './tracking-group.js';

const SIGKILL = 9;
const GIVE_UP_AFTER_MS = 1000;

/** From a plan to a process that waits at the gate. On a failure nothing is left: no process, no descriptor. */
export async function forkContainer(
  container: Container,
  plan: LaunchPlanData,
  context: ForkContext,
): Promise<LinuxProcess> {
  const forked = forkSupervisor(container, plan, context);
  if (forked) {
    try {
      return await reachGate(container, plan, forked, context);
    } catch (error) {
      // The fork server, or what waited for the launch, may have died just before it was sent.
      if (!isCaissonError(error) || error.code !== 'SUPERVISOR_ENDED') throw error;
    }
  }
  return reachGate(container, plan, spawnSupervisor(container, plan, context), context);
}

async function reachGate(
  container: Container,
  plan: LaunchPlanData,
  { launch, descriptors, started, kind }: UnderWay,
  context: ForkContext,
): Promise<LinuxProcess> {
  try {
    if (context.parent) requireEntered(container, plan, context.parent(container.parentId ?? ''));
    const reached = failpoint('launcher.spawned');
    if (reached) await reached;
    const state = await gatedProcess(container, plan, launch, started, context);
    const { entrances } = context;
    return processOf(container, launch, descriptors, started, state, context, {
      onExecuted: () => context.onExecuted?.(kind),
      enter: entrances && entersPidNamespace(plan) ? () => entrances.enter(container, plan) : undefined,
    });
  } catch (error) {
    await giveUp(started, descriptors, context);
    throw error;
  }
}

async function gatedProcess(
  container: Container,
  plan: LaunchPlanData,
  launch: CompiledLaunch,
  started: Started,
  { patienceMs, cgroups, processor }: ForkContext,
): Promise<LinuxLauncherState> {
  const next = () => started.report.next(patienceMs());
  if (!started.processes) {
    const pid = await pidOfContainer(container.id, launch, started, () =>
      processor ? processor.run(next) : next(),
    );
    const supervisor = started.supervisor as Child;
    started.container = pidfdOfGrandchild(pid, supervisor.pid);
    if (started.container === undefined)
      throw await earlyEnd(container.id, launch, started.report, patienceMs());
    started.processes = identitiesOf(supervisor, { pid, pidfd: started.container });
  }
  const { pid } = started.processes.process;
  processor?.release(pid);
  if (isTracked(plan)) {
    started.tracking = createTrackingGroup(container, cgroups);
    try {
      started.tracking.add(pid);
    } catch (error) {
      // It has failed before it came to the gate: its report says at what.
      if (!isErrno(error, 'ESRCH')) throw error;
      throw await earlyEnd(container.id, launch, started.report, patienceMs());
    }
  }
  return {
    ...started.processes,
    init: plan.init,
    joins: entersPidNamespace(plan),
    ...(maySteal(plan) && { traces: true }),
    ...(plan.stdio === 'terminal' && { terminal: launch.table.descriptor('master') }),
    ...(plan.stdio === 'pipes' && { pipes: heldPipes(launch.table) }),
  };
}

/** Without a pid namespace; and on its way into another one's nobody else keeps the processes of a launch together. */
const isTracked = (plan: LaunchPlanData): boolean =>
  !plan.namespaces.create.includes('pid') || entersPidNamespace(plan);

/** Waits until both processes are known: the supervisor, if it was forked, is told by another process than the container. */
async function pidOfContainer(
  id: string,
  launch: CompiledLaunch,
  started: Started,
  next: () => ReportMessage | Promise<ReportMessage>,
): Promise<number> {
  let pid: number | undefined;
  let failure: Error | undefined;
  while (!started.supervisor || (pid === undefined && !failure)) {
    const message = await next();
    if (message.kind === 'end') throw failure ?? errors.SUPERVISOR_ENDED(id, 'before the container existed');
    if (message.kind === 'supervisor') {
      const pidfd = pidfdOfChild(message.pid);
      started.supervisor = { pid: message.pid, pidfd };
    } else if (message.kind === 'pid') pid = message.pid;
    else failure = failureBeforeGate(id, launch, message.record, pid !== undefined);
  }
  if (failure) throw failure;
  return pid as number;
}

/** Before there is a first process, it is the supervisor that fails: one that was forked walks the fork server's table. */
function failureBeforeGate(
  id: string,
  { table, values }: CompiledLaunch,
  record: Buffer,
  exists: boolean,
): Error {
  return table.received && !exists
    ? launchError(id, forkServerTable(), {}, record)
    : launchError(id, table, values, record);
}

async function earlyEnd(
  id: string,
  { table, values }: CompiledLaunch,
  report: ReportReader,
  patienceMs: number,
): Promise<Error> {
  const message = await report.next(patienceMs);
  return message.kind === 'failure'
    ? launchError(id, table, values, message.record)
    : errors.SUPERVISOR_ENDED(id, 'before the container reached its gate');
}

function processOf(
  container: Container,
  { table, values }: CompiledLaunch,
  descriptors: LaunchDescriptors,
  { supervisor, container: pidfd, report, tracking }: Started,
  state: LinuxLauncherState,
  { reaper, cgroups, patienceMs, processor }: ForkContext,
  hooks: Pick<Gate, 'onExecuted' | 'enter'>,
): LinuxProcess {
  return new LinuxProcess({
    id: container.id,
    state,
    pid: state.process.pid,
    pair: { supervisor: supervisor?.pidfd, container: pidfd },
    statusPath: statusFile(container),
    reaper,
    cgroups,
    gate: { writeEnd: descriptors.gate, report, table, values, patienceMs, processor, ...hooks },
    terminal: descriptors.terminal,
    pipes: descriptors.pipes,
    tracking,
  });
}

/** The gate's end of file ends the gated process, and that the supervisor, which leaves no zombie of it. */
async function giveUp(
  { supervisor, container, report, tracking }: Started,
  descriptors: LaunchDescriptors,
  { reaper }: ForkContext,
): Promise<void> {
  descriptors.abandon();
  try {
    if (container !== undefined) pidfdSendSignal(container, SIGKILL);
    if (supervisor) {
      const ended = readable(supervisor.pidfd, reaper);
      if (!(await settlesWithin(ended, GIVE_UP_AFTER_MS))) pidfdSendSignal(supervisor.pidfd, SIGKILL);
      await ended;
      reapChild(supervisor.pid);
    }
    await tracking?.end();
  } finally {
    // Not before: a supervisor that has not told the pid yet would die of SIGPIPE.
    report.close();
    if (supervisor) closeSync(supervisor.pidfd);
    if (container !== undefined) closeSync(container);
  }
}
