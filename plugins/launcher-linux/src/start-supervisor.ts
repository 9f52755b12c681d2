/** The two ways in which a launch gets its supervisor: from the fork server, or it is spawned with the launch as its image. */
import { closeSync } from 'node:fs';
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { type Child, type Identities, pidfdOfChild } from './children.js';
import { type CompiledLaunch, compileLaunch } from './compile.js';
import { type LaunchDescriptors, openDescriptors, statusFile } from './descriptors.js';
import type { ForkContext } from './fork-context.js';
import type { LaunchKind } from './fork-server.js';
import { copyHostTrees } from './host-trees.js';
import { ReportReader } from './report-reader.js';
import { spawnImage } from './spawn-image.js';
import { forkFlags } from './steps/clone-container.js';
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

/** What a message to one that waits brings of the host's trees is limited (unix(7), SCM_RIGHTS: 253 descriptors). */
const MOST_MOUNTS = 128;

/**
 * Those that a process of the fork server can make: it does not die with the agent, holds nothing but a status file, joins
 * nobody, and its mounts are slaves before it knows of any to share.
 */
export const canBeForked = ({ dieWithParent, stdio, namespaces, mounts }: LaunchPlanData): boolean =>
  !dieWithParent &&
  (stdio === 'files' || stdio === 'inherit') &&
  namespaces.enter.length === 0 &&
  !mounts.some(isPeer) &&
  mounts.length < MOST_MOUNTS;

/** Undefined if there is no fork server, or it cannot take this launch. */
export function forkSupervisor(
  container: Container,
  plan: LaunchPlanData,
  context: ForkContext,
): UnderWay | undefined {
  const { forkServer, steps, reaper } = context;
  if (!forkServer?.alive || !canBeForked(plan)) return undefined;
  const launch = compileLaunch(plan, steps, 'received');
  const trees = launch.table.letsGoOfHost ? copiesOfHost(plan) : [];
  if (!trees) return undefined;
  try {
    const kind = kindOf(launch, plan);
    const pair = forkServer.take(kind, statusFile(container));
    const descriptors = pair && handOver(pair, launch, container, plan, context, trees);
    if (!descriptors) return undefined;
    return { launch, descriptors, kind, started: startedBy(pair, new ReportReader(pair.report, reaper)) };
  } finally {
    for (const fd of trees) closeSync(fd);
  }
}

export const kindOf = ({ program, table }: CompiledLaunch, plan: LaunchPlanData): LaunchKind => ({
  program,
  flags: forkFlags(plan),
  holdsHost: !table.letsGoOfHost,
});

/** Undefined where one cannot be copied: a supervisor that is spawned says what is wrong, by the step. */
function copiesOfHost(plan: LaunchPlanData): number[] | undefined {
  try {
    return copyHostTrees(plan);
  } catch (error) {
    if (error instanceof Error && 'errno' in error) return undefined;
    throw error;
  }
}

/** Undefined if the pair cannot take it; then nothing of it is left. */
function handOver(
  pair: WaitingPair,
  launch: CompiledLaunch,
  container: Container,
  plan: LaunchPlanData,
  context: ForkContext,
  trees: readonly number[],
): LaunchDescriptors | undefined {
  let descriptors: LaunchDescriptors | undefined;
  try {
    descriptors = openDescriptors(container, plan, launch.table, context, pair);
    if (pair.launch(launch.values, [...descriptors.placement.map(({ from }) => from), ...trees])) {
      descriptors.handedOver();
      return descriptors;
    }
  } catch (error) {
    descriptors?.abandon();
    pair.end();
    throw error;
  }
  descriptors.abandon();
  pair.end();
  return undefined;
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
