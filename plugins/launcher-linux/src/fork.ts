import { closeSync } from 'node:fs';
import type { Cgroups } from '@caisson/linux/cgroups';
import { identityOf, type Reaper, reapChild } from '@caisson/linux/process';
import { pidfdOpen, pidfdSendSignal } from '@caisson/linux/syscalls';
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { type CompiledLaunch, compileLaunch } from './compile.js';
import { type LaunchDescriptors, openDescriptors, statusFile } from './descriptors.js';
import { errors } from './errors.js';
import { launchError } from './launch-error.js';
import { type LinuxLauncherState, LinuxProcess } from './linux-process.js';
import { ReportReader } from './report-reader.js';
import { spawnImage } from './spawn-image.js';
import type { LaunchStep } from './step.js';
import { readable } from './supervised.js';
import { createTrackingGroup, type TrackingGroup } from './tracking-group.js';

const SIGKILL = 9;

export interface ForkContext {
  readonly reaper: Reaper;
  readonly cgroups: Cgroups;
  /** For the image, where the kernel refuses executable memfds. */
  readonly imageDirectory: string;
  readonly patienceMs: () => number;
  /** Default: the steps of every launch. Tests leave one out, to show what it is for. */
  readonly steps?: readonly LaunchStep[] | undefined;
}

/** What has been started when something fails. */
interface Started {
  readonly supervisorPid: number;
  readonly supervisor: number;
  readonly report: ReportReader;
  container: number | undefined;
  tracking: TrackingGroup | undefined;
}

/** From a plan to a process that waits at the gate. On a failure nothing is left: no process, no descriptor. */
export async function forkContainer(
  container: Container,
  plan: LaunchPlanData,
  context: ForkContext,
): Promise<LinuxProcess> {
  const launch = compileLaunch(plan, context.steps);
  const descriptors = openDescriptors(container, plan, launch.table);
  const started = startSupervisor(launch, descriptors, context);
  try {
    const reached = failpoint('launcher.spawned');
    if (reached) await reached;
    const state = await gatedProcess(container, plan, launch, started, context);
    return processOf(container, launch, descriptors, started, state, context);
  } catch (error) {
    await giveUp(started, descriptors, context);
    throw error;
  }
}

function startSupervisor(
  { program, values }: CompiledLaunch,
  descriptors: LaunchDescriptors,
  { reaper, imageDirectory }: ForkContext,
): Started {
  try {
    const supervisorPid = spawnImage(program.fill(values), descriptors.placement, imageDirectory);
    descriptors.handedOver();
    // Our child: it stays a zombie, and its pid its own, until we reap it.
    const supervisor = pidfdOpen(supervisorPid);
    const report = new ReportReader(descriptors.report, reaper);
    return { supervisorPid, supervisor, report, container: undefined, tracking: undefined };
  } catch (error) {
    descriptors.abandon();
    throw error;
  }
}

async function gatedProcess(
  container: Container,
  plan: LaunchPlanData,
  launch: CompiledLaunch,
  started: Started,
  { patienceMs, cgroups }: ForkContext,
): Promise<LinuxLauncherState> {
  const message = await started.report.next(patienceMs());
  if (message.kind === 'end') throw errors.SUPERVISOR_ENDED(container.id, 'before the container existed');
  if (message.kind === 'failure')
    throw launchError(container.id, launch.table, launch.values, message.record);
  // The supervisor reaps it only once it has ended, and it waits at the gate: the pid is its own.
  started.container = pidfdOpen(message.pid);
  if (!plan.namespaces.create.includes('pid')) {
    started.tracking = createTrackingGroup(container, cgroups);
    started.tracking.add(message.pid);
  }
  return {
    supervisor: identityOf(started.supervisorPid, started.supervisor),
    process: identityOf(message.pid, started.container),
    init: plan.init,
  };
}

function processOf(
  container: Container,
  { table, values }: CompiledLaunch,
  descriptors: LaunchDescriptors,
  { supervisorPid, supervisor, container: pidfd, report, tracking }: Started,
  state: LinuxLauncherState,
  { reaper, cgroups, patienceMs }: ForkContext,
): LinuxProcess {
  return new LinuxProcess({
    id: container.id,
    state,
    pair: { supervisorPid, supervisor, container: pidfd },
    statusPath: statusFile(container),
    reaper,
    cgroups,
    gate: { writeEnd: descriptors.gate, report, table, values, patienceMs },
    terminal: descriptors.terminal,
    tracking,
  });
}

/** The gate's end of file ends the gated process, and that the supervisor. */
async function giveUp(
  started: Started,
  descriptors: LaunchDescriptors,
  { reaper }: ForkContext,
): Promise<void> {
  started.report.close();
  descriptors.abandon();
  if (started.container !== undefined) pidfdSendSignal(started.container, SIGKILL);
  else pidfdSendSignal(started.supervisor, SIGKILL);
  await readable(started.supervisor, reaper);
  reapChild(started.supervisorPid);
  await started.tracking?.end();
  closeSync(started.supervisor);
  if (started.container !== undefined) closeSync(started.container);
}
