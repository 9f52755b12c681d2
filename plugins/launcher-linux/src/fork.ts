import { closeSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import { readStat } from '@caisson/linux/proc';
import { identityOf, reapChild } from '@caisson/linux/process';
import { parentOf, pidfdOpen, pidfdSendSignal } from '@caisson/linux/syscalls';
import { type Container, isCaissonError, type LaunchPlanData } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import type { CompiledLaunch } from './compile.js';
import { type LaunchDescriptors, statusFile } from './descriptors.js';
import { settlesWithin } from './end-container.js';
import { requireParent } from './entered.js';
import { errors } from './errors.js';
import type { ForkContext } from './fork-context.js';
import { launchError } from './launch-error.js';
import { type LinuxLauncherState, LinuxProcess } from './linux-process.js';
import type { ReportReader } from './report-reader.js';
import { handToWaiting, type Started, spawnSupervisor, type UnderWay } from './start-supervisor.js';
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
  const handed = handToWaiting(container, plan, context);
  if (handed) {
    try {
      return await reachGate(container, plan, handed, context);
    } catch (error) {
      // It may have died just before it was sent its launch.
      if (!isCaissonError(error) || error.code !== 'SUPERVISOR_ENDED') throw error;
    }
  }
  return reachGate(container, plan, spawnSupervisor(container, plan, context), context);
}

async function reachGate(
  container: Container,
  plan: LaunchPlanData,
  { launch, descriptors, started }: UnderWay,
  context: ForkContext,
): Promise<LinuxProcess> {
  try {
    if (context.parent) requireParent(container, plan, context.parent(container.parentId ?? ''));
    const reached = failpoint('launcher.spawned');
    if (reached) await reached;
    const state = await gatedProcess(container, plan, launch, started, context);
    return processOf(container, launch, descriptors, started, state, context);
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
  const message = await (processor ? processor.run(next) : next());
  if (message.kind === 'end') throw errors.SUPERVISOR_ENDED(container.id, 'before the container existed');
  if (message.kind === 'failure')
    throw launchError(container.id, launch.table, launch.values, message.record);
  started.container = pidfdOfGrandchild(message.pid, started.supervisorPid);
  if (started.container === undefined)
    throw await earlyEnd(container.id, launch, started.report, patienceMs());
  if (isTracked(plan)) {
    started.tracking = createTrackingGroup(container, cgroups);
    try {
      started.tracking.add(message.pid);
    } catch (error) {
      // It has failed before it came to the gate: its report says at what.
      if (!isErrno(error, 'ESRCH')) throw error;
      throw await earlyEnd(container.id, launch, started.report, patienceMs());
    }
  }
  return {
    supervisor: identityOf(started.supervisorPid, started.supervisor),
    process: identityOf(message.pid, started.container),
    init: plan.init,
    joins: entersPidNamespace(plan),
    ...(plan.stdio === 'terminal' && { terminal: launch.table.descriptor('master') }),
    ...(plan.stdio === 'pipes' && { pipes: heldPipes(launch.table) }),
  };
}

/** Without a pid namespace; and on its way into another one's nobody else keeps the processes of a launch together. */
const isTracked = (plan: LaunchPlanData): boolean =>
  !plan.namespaces.create.includes('pid') || entersPidNamespace(plan);

/**
 * Its mounts may have failed, and the supervisor may have reaped it, before we look: then its pid is nobody's, or another
 * process's, but none of the supervisor's children (threat model N12). The supervisor is our child, so its pid is its own.
 */
function pidfdOfGrandchild(pid: number, supervisorPid: number): number | undefined {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
  if ((parentOf(pidfd) ?? readStat(pid)?.ppid) === supervisorPid) return pidfd;
  closeSync(pidfd);
  return undefined;
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
): LinuxProcess {
  return new LinuxProcess({
    id: container.id,
    state,
    pid: state.process.pid,
    pair: { supervisor, container: pidfd },
    statusPath: statusFile(container),
    reaper,
    cgroups,
    gate: { writeEnd: descriptors.gate, report, table, values, patienceMs, processor },
    terminal: descriptors.terminal,
    pipes: descriptors.pipes,
    tracking,
  });
}

/** The gate's end of file ends the gated process, and that the supervisor, which leaves no zombie of it. */
async function giveUp(
  { supervisorPid, supervisor, container, report, tracking }: Started,
  descriptors: LaunchDescriptors,
  { reaper }: ForkContext,
): Promise<void> {
  descriptors.abandon();
  try {
    if (container !== undefined) pidfdSendSignal(container, SIGKILL);
    const ended = readable(supervisor, reaper);
    if (!(await settlesWithin(ended, GIVE_UP_AFTER_MS))) pidfdSendSignal(supervisor, SIGKILL);
    await ended;
    reapChild(supervisorPid);
    await tracking?.end();
  } finally {
    // Not before: a supervisor that has not told the pid yet would die of SIGPIPE.
    report.close();
    closeSync(supervisor);
    if (container !== undefined) closeSync(container);
  }
}
