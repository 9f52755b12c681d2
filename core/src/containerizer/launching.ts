/**
 * A launch, step by step. Whatever fails, the way back is ending.ts, through what began; what is on disk before each
 * step is what recovery needs to undo it.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type ContainerProcess,
  isCaissonError,
  LaunchPlan,
  type LaunchPlanData,
  messageOf,
  withCause,
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { markLaunched, recordLaunched, writePendingRecord } from '../checkpoints/record.js';
import { coreErrors } from '../errors.js';
import { combined } from '../hooks/phases.js';
import type { Core } from './core.js';
import { endContainer } from './ending.js';
import { launcherStep } from './launcher-step.js';
import type { ManagedContainer } from './managed-container.js';
import { problemOfPlan } from './plan-problem.js';
import { createSandbox } from './sandbox.js';
import { endWithProcess, watch } from './watching.js';

/** Resolves once the command was executed. Throws what failed, after everything that began has been undone. */
export async function launchContainer(core: Core, container: ManagedContainer): Promise<void> {
  try {
    await runSteps(core, container);
  } catch (error) {
    core.emit({ type: 'launch-failed', id: container.id, error: error as Error });
    throw await undo(core, container, error);
  }
}

async function runSteps(core: Core, container: ManagedContainer): Promise<void> {
  await failpoint('launch.validated');
  makeFiles(container);
  await failpoint('launch.recorded');
  await prepare(container);
  await failpoint('launch.prepared');
  await fork(core, container);
  await failpoint('launch.forked');
  writePendingRecord(container.place.runtimeDirectory, container.record());
  await failpoint('launch.checkpointed');
  container.state = 'ISOLATING';
  core.emit({ type: 'state', id: container.id, state: 'ISOLATING', pid: container.pid });
  await isolate(container);
  await failpoint('launch.isolated');
  watch(core, container);
  requireWanted(container);
  await failpoint('launch.watched');
  await release(container);
  await failpoint('launch.released');
  rememberLaunch(core, container);
  requireWanted(container);
  container.launching = undefined;
  container.state = 'RUNNING';
  core.emit({ type: 'state', id: container.id, state: 'RUNNING', pid: container.pid });
  endWithProcess(core, container);
  await failpoint('launch.marked');
}

/** On disk before it is told. */
function rememberLaunch(core: Core, container: ManagedContainer): void {
  const { place, process, exit } = container;
  if (exit && process?.endIsRecorded) markLaunched(place.runtimeDirectory);
  else {
    const missing = recordLaunched(place.runtimeDirectory, container.record());
    if (missing)
      core.log.warn(
        { container: container.id, error: missing.message },
        'the plan of a launch is not on disk',
      );
  }
  container.launched = true;
}

/** A destroy that came meanwhile ends the launch at the next step. */
function requireWanted({ id, cause }: ManagedContainer): void {
  if (cause) throw coreErrors.DESTROYED_DURING_LAUNCH(id, cause.message ?? cause.reason);
}

/** The record first: what is made after it is found again by its paths. */
function makeFiles(container: ManagedContainer): void {
  const { place, user } = container;
  try {
    makeDirectory(place.runtimeDirectory);
    writePendingRecord(place.runtimeDirectory, container.record());
    failpoint('launch.sandbox');
    createSandbox(place, user);
  } catch (error) {
    if (isCaissonError(error)) throw error;
    // A bare ENOSPC or EROFS of Node says where, not what to do.
    throw withCause(coreErrors.STATE_WRITE_FAILED(place.sandbox, messageOf(error)), error);
  }
}

/** With those above it. Node's own `recursive` says ENOENT where the kernel has said EROFS. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

function startOfPlan({ config, user, parent }: ManagedContainer): LaunchPlan {
  const workingDirectory = config.workingDirectory ?? lookedInto(config, parent)?.workingDirectory;
  const start: Pick<LaunchPlanData, 'argv'> & Partial<LaunchPlanData> = {
    argv: [...config.argv],
    rlimits: { ...config.rlimits },
    noNewPrivileges: config.noNewPrivileges ?? true,
    privileged: config.privileged ?? false,
    oomScoreAdj: config.oomScoreAdj ?? 0,
    init: config.init ?? false,
    dieWithParent: config.dieWithParent ?? false,
    stdio: config.stdio ?? 'files',
    ...(config.executable !== undefined && { executable: config.executable }),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(config.windowSize !== undefined && { windowSize: { ...config.windowSize } }),
    ...(user && { user }),
  };
  return new LaunchPlan(start);
}

/** What a DEBUG container begins with: the variables and the directory of the one it looks into (spec: nested and DEBUG). */
const lookedInto = (
  config: ManagedContainer['config'],
  parent: ManagedContainer | undefined,
): LaunchPlanData | undefined =>
  config.class === 'DEBUG' ? (parent?.plan?.data ?? parent?.planData) : undefined;

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** One isolator after another; the plan says who adds to it. */
async function prepare(container: ManagedContainer): Promise<void> {
  const { generation, subject, view, config } = container;
  const plan = startOfPlan(container);
  container.plan = plan;
  const taps = new Map(generation.phases.of('prepare', subject).map((tap) => [tap.isolator, tap]));
  for (const isolator of container.isolation) {
    container.begun.add(isolator);
    const tap = taps.get(isolator);
    if (!tap) continue;
    plan.contributor = isolator;
    await generation.phases.call(tap, subject, [view, plan]);
    const nonsense = problemOfPlan(plan.data);
    if (nonsense)
      throw coreErrors.TAP_NONSENSE(isolator, 'prepare', container.id, `it left a plan whose ${nonsense}`);
    requireWanted(container);
  }
  plan.contributor = 'the configuration';
  // The container's own variables win over those of isolators, and these over those of one that it looks into.
  plan.data.environment = {
    ...lookedInto(config, container.parent)?.environment,
    ...plan.data.environment,
    ...config.environment,
  };
  plan.data.environment.PATH ??= DEFAULT_PATH;
  addCapabilities(plan, config);
}

/** What is asked for by name is never left out in silence: linux/capabilities, which judges it, may not be enabled. */
function addCapabilities(plan: LaunchPlan, { capabilities }: ManagedContainer['config']): void {
  if (plan.data.capabilities !== undefined || capabilities === undefined) return;
  const { effective, bounding = effective } = capabilities;
  if (bounding === undefined) return;
  plan.setCapabilities(effective === undefined ? { bounding } : { effective, bounding });
}

async function fork(core: Core, container: ManagedContainer): Promise<void> {
  const { generation, view, plan } = container;
  const endLate = (late: ContainerProcess) => endUnwanted(core, container, late);
  const started = await launcherStep(container, 'fork', () => generation.launcher.fork(view, plan!), endLate);
  container.process = started;
  const exited = (status?: number) => {
    container.exit = { status };
  };
  started.exited.then(exited, () => exited());
  container.launcherState = started.state;
  requireWanted(container);
}

/** A fork that took too long and succeeded: its process stands at a gate that nobody will open. */
async function endUnwanted(core: Core, { id }: ManagedContainer, late: ContainerProcess): Promise<void> {
  try {
    await late.destroy();
    late.close();
  } catch (error) {
    core.log.error({ container: id, pid: late.pid, error: messageOf(error) }, 'a late process was not ended');
  }
}

/** All at once; the gate stays closed until the last has finished. */
async function isolate(container: ManagedContainer): Promise<void> {
  const { generation, subject, view, pid } = container;
  const failures = await generation.phases.parallel('isolate', subject, () => [view, pid]);
  if (failures.length > 0) throw combined('isolate', container.id, failures);
  requireWanted(container);
}

async function release(container: ManagedContainer): Promise<void> {
  container.releasing = true;
  try {
    await launcherStep(container, 'release', () => container.process!.release());
  } catch (error) {
    requireWanted(container);
    throw error;
  } finally {
    container.releasing = false;
  }
}

/** The error that the launch ends with. */
async function undo(core: Core, container: ManagedContainer, error: unknown): Promise<unknown> {
  container.launching = undefined;
  container.launched = false;
  try {
    await endContainer(core, container, { reason: 'LAUNCH_FAILED', message: messageOf(error) });
    return error;
  } catch (undoing) {
    core.log.error(
      { container: container.id, error: messageOf(undoing) },
      'a failed launch is not undone yet',
    );
    return error;
  }
}
