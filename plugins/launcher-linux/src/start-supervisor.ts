/** The two ways in which a launch gets its supervisor: one that waits takes it, or it is spawned with it. */
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { pidfdOfChild } from './children.js';
import { type CompiledLaunch, compileLaunch } from './compile.js';
import { type LaunchDescriptors, openDescriptors } from './descriptors.js';
import type { ForkContext } from './fork-context.js';
import { ReportReader } from './report-reader.js';
import { spawnImage } from './spawn-image.js';
import type { TrackingGroup } from './tracking-group.js';

/** What has been started when something fails. */
export interface Started {
  readonly supervisorPid: number;
  readonly supervisor: number;
  readonly report: ReportReader;
  container: number | undefined;
  tracking: TrackingGroup | undefined;
}

/** A launch that is on its way in its supervisor. */
export interface UnderWay {
  readonly launch: CompiledLaunch;
  readonly descriptors: LaunchDescriptors;
  readonly started: Started;
}

/** Undefined if no supervisor waits, or the one that does cannot take this launch. */
export function handToWaiting(
  container: Container,
  plan: LaunchPlanData,
  context: ForkContext,
): UnderWay | undefined {
  const waiting = context.waiting?.();
  if (!waiting) return undefined;
  let descriptors: LaunchDescriptors | undefined;
  try {
    const launch = compileLaunch(plan, context.steps, 'received');
    descriptors = openDescriptors(container, plan, launch.table, context, waiting);
    const sent = descriptors.placement.map(({ from }) => from);
    const processor = context.processor?.mask ?? (launch.values.affinity as Buffer);
    if (!waiting.take(launch.program.fill({ ...launch.values, processor }), sent)) {
      descriptors.abandon();
      waiting.end();
      return undefined;
    }
    descriptors.handedOver();
    const report = new ReportReader(waiting.report, context.reaper);
    const started = {
      supervisorPid: waiting.pid,
      supervisor: waiting.pidfd,
      report,
      container: undefined,
      tracking: undefined,
    };
    return { launch, descriptors, started };
  } catch (error) {
    descriptors?.abandon();
    waiting.end();
    throw error;
  }
}

/** @throws what the kernel says of a spawn; then nothing is left */
export function spawnSupervisor(container: Container, plan: LaunchPlanData, context: ForkContext): UnderWay {
  const launch = compileLaunch(plan, context.steps);
  const descriptors = openDescriptors(container, plan, launch.table, context);
  return { launch, descriptors, started: startSupervisor(launch, descriptors, context) };
}

function startSupervisor(
  { program, values }: CompiledLaunch,
  descriptors: LaunchDescriptors,
  { reaper, imageDirectory, processor }: ForkContext,
): Started {
  let supervisorPid: number;
  const spawn = () => spawnImage(program.fill(values), descriptors.placement, imageDirectory);
  try {
    supervisorPid = processor ? processor.run(spawn) : spawn();
  } catch (error) {
    descriptors.abandon();
    throw error;
  }
  descriptors.handedOver();
  const report = new ReportReader(descriptors.report, reaper);
  try {
    const supervisor = pidfdOfChild(supervisorPid);
    return { supervisorPid, supervisor, report, container: undefined, tracking: undefined };
  } catch (error) {
    report.close();
    descriptors.abandon();
    throw error;
  }
}
