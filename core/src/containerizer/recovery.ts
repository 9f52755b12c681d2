/**
 * After a restart: what runs is taken up again, what ended meanwhile gets its true status, what was half launched is
 * undone, directories without a record are cleaned up. One bad record costs one container.
 */
import { type Container, messageOf, type Recovery } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { bootId } from '../checkpoints/boot-id.js';
import type { ContainerRecord } from '../checkpoints/record.js';
import { coreErrors } from '../errors.js';
import { within } from '../hooks/within.js';
import type { Generation } from '../plugin-host/generation.js';
import type { Core } from './core.js';
import { endContainer } from './ending.js';
import { type EndCause, ManagedContainer } from './managed-container.js';
import type { FoundContainer } from './scan.js';
import { endWithProcess, watch } from './watching.js';

export interface RecoveryPlan {
  readonly running: readonly ManagedContainer[];
  /** Each with the reason why it does not go on. */
  readonly ending: readonly (readonly [ManagedContainer, EndCause])[];
  /** Ended before, kept until they are removed. */
  readonly ended: readonly ManagedContainer[];
}

/**
 * Takes up the processes, and decides what goes on. Nothing is undone yet.
 *
 * @param discard  the owner of this state has died, and its containers with it: nothing goes on
 */
export async function planRecovery(
  core: Core,
  generation: Generation,
  found: readonly FoundContainer[],
  discard: boolean,
): Promise<RecoveryPlan> {
  const containers = new Map<string, ManagedContainer>();
  const plan = {
    running: [] as ManagedContainer[],
    ending: [] as [ManagedContainer, EndCause][],
    ended: [] as ManagedContainer[],
  };
  for (const each of found) {
    const container = restore(each, generation, containers.get(each.parentId ?? ''));
    containers.set(each.id, container);
    if (container.termination && !discard) {
      plan.ended.push(container);
      continue;
    }
    container.termination = undefined;
    generation.enter();
    container.parent?.children.add(container);
    await adopt(core, container, each.found?.record);
    const cause = causeOf(container, each, discard);
    if (discard) container.launched = false;
    if (cause) plan.ending.push([container, cause]);
    else plan.running.push(container);
  }
  await failpoint('recover.adopted');
  return plan;
}

/** A record as a container; of an orphan only the id is known. */
function restore(
  { place, found }: FoundContainer,
  generation: Generation,
  parent: ManagedContainer | undefined,
): ManagedContainer {
  const record = found?.record;
  const container = new ManagedContainer({
    place,
    config: record?.config ?? { argv: ['(unknown)'] },
    user: record?.user,
    generation,
    parent,
    createdAt: record?.createdAt ?? Date.now(),
    launcher: record?.launcher ?? generation.launcherName,
    isolation: record?.isolation ?? [...generation.isolation],
  });
  container.launched = found?.launched ?? false;
  container.planData = record?.plan;
  if (record) Object.assign(container, { resources: record.resources, limits: record.limits });
  for (const isolator of container.isolation) container.begun.add(isolator);
  if (record?.termination) container.end(record.termination);
  return container;
}

/**
 * Asks the launcher for the process; also when nothing of it was written down, for it may have been killed between
 * starting the process and writing that down: then the state is empty, and the launcher has the id alone.
 */
async function adopt(
  core: Core,
  container: ManagedContainer,
  record: ContainerRecord | undefined,
): Promise<void> {
  const { generation, launcher, id, view } = container;
  if (record && record.bootId !== bootId()) return;
  container.recordedPid = record?.pid;
  container.launcherState = record?.launcherState;
  if (launcher !== generation.launcherName) {
    setUnreachable(
      core,
      container,
      `it was launched by the launcher ${launcher}, which is not enabled any more`,
    );
    return;
  }
  try {
    const ms = generation.timeouts.recover;
    const adopting = Promise.resolve(generation.launcher.adopt(view, record?.launcherState ?? {}));
    container.process = await within(adopting, ms, () =>
      coreErrors.LAUNCHER_TIMED_OUT(launcher, 'take up', id, ms),
    );
    // The process says it, or there is none and the number is anybody's.
    container.recordedPid = undefined;
  } catch (error) {
    setUnreachable(core, container, `it cannot be taken up: ${messageOf(error)}`);
  }
}

function setUnreachable(core: Core, container: ManagedContainer, why: string): void {
  container.unreachable = why;
  setProblem(core, container, why);
}

function setProblem(core: Core, container: ManagedContainer, problem: string): void {
  container.problem = problem;
  core.log.error({ container: container.id }, problem);
}

const OWNER_DIED = 'the process that launched it has ended';

/** Why it does not go on; undefined if it does. */
function causeOf(
  container: ManagedContainer,
  { found }: FoundContainer,
  discard: boolean,
): EndCause | undefined {
  // What can't be seen may run: it is left as it is.
  if (container.unreachable) return undefined;
  if (!found) return { reason: 'ORPHAN', message: 'nothing but its directory was found' };
  if (!found.launched) return { reason: 'LAUNCH_FAILED', message: 'its launch was interrupted' };
  if (container.config.class === 'DEBUG' || container.config.dieWithParent || discard)
    return { reason: 'DESTROYED', message: OWNER_DIED };
  if (found.record.bootId !== bootId()) return { reason: 'LOST', message: 'the host was restarted' };
  if (!container.process) return { reason: 'LOST', message: 'its process is gone, and its status unknown' };
  return undefined;
}

/** The isolators' turn, each with the containers that it was part of. A failure is reported; the containers go on. */
export async function recoverIsolators(
  core: Core,
  generation: Generation,
  { running, ending }: Pick<RecoveryPlan, 'running' | 'ending'>,
): Promise<void> {
  const subject = { id: '-', isNested: false, isolation: generation.isolation };
  for (const tap of generation.phases.of('recover', subject)) {
    const isTheirs = (each: ManagedContainer) =>
      each.isolation.includes(tap.isolator) && (tap.supportsNesting || !each.place.isNested);
    const recovery: Recovery = {
      containers: running.filter(isTheirs).map(({ view }): Container => view),
      orphans: ending
        .map(([each]) => each)
        .filter(isTheirs)
        .map(({ id }) => id),
    };
    try {
      await generation.phases.call(tap, subject, [recovery]);
    } catch (error) {
      core.log.error({ isolator: tap.isolator, phase: 'recover' }, messageOf(error));
    }
  }
}

/** What goes on is watched again. */
export function resume(core: Core, generation: Generation, running: readonly ManagedContainer[]): void {
  for (const container of running) {
    container.state = 'RUNNING';
    const missing = container.isolation.filter((name) => !generation.isolation.has(name));
    if (missing.length > 0)
      setProblem(core, container, messageOf(coreErrors.ISOLATORS_MISSING(container.id, missing)));
    watch(core, container);
    endWithProcess(core, container);
  }
}

/** Undoes what does not go on. Resolves to the containers that could not be undone; those are tried again later. */
export async function endTheRest(core: Core, { ending }: RecoveryPlan): Promise<ManagedContainer[]> {
  const results = await Promise.allSettled(
    ending.map(([container, cause]) => endContainer(core, container, cause)),
  );
  return ending.flatMap(([container], index) => (results[index]!.status === 'rejected' ? [container] : []));
}
