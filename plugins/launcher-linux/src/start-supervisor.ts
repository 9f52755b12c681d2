/** The two ways in which a launch gets its supervisor: from the fork server, or it is spawned with the launch as its image. */
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { type Child, type Identities, pidfdOfChild } from './children.js';
import { type CompiledLaunch, compileLaunch } from './compile.js';
import { type LaunchDescriptors, openDescriptors, statusFile } from './descriptors.js';
import type { ForkContext } from './fork-context.js';
import type { LaunchKind } from './fork-server.js';
import { ReportReader } from './report-reader.js';
import { spawnImage } from './spawn-image.js';
import { cloneFlags } from './steps/clone-container.js';
import { isPeer } from './steps/open-bind-sources.js';
import type { TrackingGroup } from './tracking-group.js';
import type { WaitingPair } from './waiting-pair.js';

/** What has been started when something fails. */
export interface Started {
  /** Undefined: the fork server has not told it yet. */
  supervisor: Child | undefined;
  readonly report: ReportReader;
  container: number | undefined;
  /** Of both. */
  processes: Identities | undefined;
  tracking: TrackingGroup | undefined;
}

/** A launch that is on its way in its supervisor. */
export interface UnderWay {
  readonly launch: CompiledLaunch;
  readonly descriptors: LaunchDescriptors;
  readonly started: Started;
  /** Set if the fork server has made it. */
  readonly kind?: LaunchKind | undefined;
}

/**
 * Those that a process of the fork server can make: it does not die with the agent, holds nothing but a status file, joins
 * nobody, and its mounts are slaves before it knows of any to share.
 */
export const canBeForked = ({ dieWithParent, stdio, namespaces, mounts }: LaunchPlanData): boolean =>
  !dieWithParent &&
  (stdio === 'files' || stdio === 'inherit') &&
  namespaces.enter.length === 0 &&
  !mounts.some(isPeer);

/** Undefined if there is no fork server, or it cannot take this launch. */
export function forkSupervisor(
  container: Container,
  plan: LaunchPlanData,
  context: ForkContext,
): UnderWay | undefined {
  const { forkServer, steps, reaper } = context;
  if (!forkServer?.alive || !canBeForked(plan)) return undefined;
  const launch = compileLaunch(plan, steps, 'received');
  const kind = { program: launch.program, flags: cloneFlags(plan) };
  const pair = forkServer.take(kind, statusFile(container));
  if (!pair) return undefined;
  let descriptors: LaunchDescriptors;
  try {
    descriptors = openDescriptors(container, plan, launch.table, context, pair);
  } catch (error) {
    pair.end();
    throw error;
  }
  const sent = descriptors.placement.map(({ from }) => from);
  if (!pair.launch(launch.values, sent)) {
    descriptors.abandon();
    pair.end();
    return undefined;
  }
  descriptors.handedOver();
  const report = new ReportReader(pair.report, reaper);
  return {
    launch,
    descriptors,
    kind,
    started: startedBy(pair, report),
  };
}

/** Those of a pair that waited are known already. */
const startedBy = ({ met }: WaitingPair, report: ReportReader): Started => ({
  supervisor: met?.supervisor,
  report,
  container: met?.first.pidfd,
  processes: met?.identities,
  tracking: undefined,
});

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
  let pid: number;
  const spawn = () => spawnImage(program.fill(values), descriptors.placement, imageDirectory);
  try {
    pid = processor ? processor.run(spawn) : spawn();
  } catch (error) {
    descriptors.abandon();
    throw error;
  }
  descriptors.handedOver();
  const report = new ReportReader(descriptors.report, reaper);
  try {
    const supervisor = { pid, pidfd: pidfdOfChild(pid) };
    return { supervisor, report, container: undefined, processes: undefined, tracking: undefined };
  } catch (error) {
    report.close();
    descriptors.abandon();
    throw error;
  }
}
