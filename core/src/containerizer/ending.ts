/**
 * The end of a container, from whatever state: backwards through what began (threat model K3). Children first, then
 * every process, then the isolators in reverse, then the record. Each step can be repeated; what failed is tried again,
 * first at once, then in the background, within bounds; meanwhile the container is visible and says what is wrong.
 */
import { type CaissonError, messageOf, type Termination } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { writeRecord } from '../checkpoints/record.js';
import { coreErrors } from '../errors.js';
import { within } from '../hooks/within.js';
import type { Core } from './core.js';
import { launcherStep } from './launcher-step.js';
import type { EndCause, ManagedContainer } from './managed-container.js';
import { removeFiles } from './remove-files.js';
import { decodeWaitStatus } from './wait-status.js';

/** Before destroy() answers that it failed. */
const RETRIES_MS = [50, 250];
/** Then nobody waits; after the last one only another destroy() tries again. */
const BACKGROUND_RETRIES_MS = [5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000];

/**
 * Ends a container, for the first cause that is given. Concurrent calls share one run.
 *
 * @throws DESTROY_FAILED; it is tried again in the background then
 */
export async function endContainer(
  core: Core,
  container: ManagedContainer,
  cause: EndCause,
): Promise<Termination> {
  if (container.termination) return container.termination;
  container.cause ??= cause;
  if (container.launching) {
    await interruptLaunch(container);
    // The launch has undone itself, or failed to, which is tried once more.
    if (container.termination) return container.termination;
  }
  container.ending ??= startRun(core, container, RETRIES_MS, 0);
  await container.ending;
  return container.termination!;
}

/** The launch sees the cause at its next step. One that waits for the command to be executed is ended there. */
async function interruptLaunch(container: ManagedContainer): Promise<void> {
  if (container.releasing) await Promise.resolve(container.process?.destroy()).catch(() => {});
  await container.launching?.catch(() => {});
}

/** One run with its retries. If all fail, the next one is due in the background, later each time. */
function startRun(
  core: Core,
  container: ManagedContainer,
  retriesMs: readonly number[],
  failedRuns: number,
): Promise<void> {
  clearTimeout(container.retry);
  const ended = () => {
    container.ending = undefined;
  };
  return withRetries(core, container, retriesMs).then(ended, (error) => {
    ended();
    runLater(core, container, failedRuns);
    throw error;
  });
}

function runLater(core: Core, container: ManagedContainer, failedRuns: number): void {
  const delay = BACKGROUND_RETRIES_MS[failedRuns];
  if (delay === undefined) return;
  const run = () => {
    if (core.isClosed) return;
    container.ending ??= startRun(core, container, [], failedRuns + 1);
    container.ending.catch(() => {}); // reported
  };
  container.retry = setTimeout(run, delay).unref();
}

async function withRetries(
  core: Core,
  container: ManagedContainer,
  retriesMs: readonly number[],
): Promise<void> {
  if (container.state !== 'DESTROYING') {
    container.state = 'DESTROYING';
    core.emit({ type: 'state', id: container.id, state: 'DESTROYING' });
  }
  let problems = await tryToEnd(core, container);
  for (const delay of retriesMs) {
    if (problems.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, delay));
    problems = await tryToEnd(core, container);
  }
  if (problems.length === 0) return;
  const error = coreErrors.DESTROY_FAILED(container.id, problems);
  container.problem = error.message;
  core.log.error({ container: container.id, problems }, 'a container is not completely undone');
  core.emit({ type: 'destroy-failed', id: container.id, error });
  throw error;
}

/** One run. What is wrong, empty if all is undone. */
async function tryToEnd(core: Core, container: ManagedContainer): Promise<string[]> {
  try {
    await failpoint('destroy.began');
    if (container.unreachable) return [container.unreachable];
    const problems = await endChildren(core, container);
    // Its processes end also if something of a child remains; its isolators wait for the child's.
    const status = await endProcesses(container);
    if (problems.length > 0) return problems;
    await failpoint('destroy.killed');
    problems.push(...missingIsolators(container), ...(await cleanUp(container)));
    if (problems.length > 0) return problems;
    await failpoint('destroy.cleaned');
    await finish(core, container, terminationOf(container, status));
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}

async function endChildren(core: Core, container: ManagedContainer): Promise<string[]> {
  const cause = { reason: 'PARENT_ENDED', message: `its parent ${container.id} ended` };
  const results = await Promise.allSettled(
    [...container.children].map((child) => endContainer(core, child, cause)),
  );
  return results.flatMap((each) => (each.status === 'rejected' ? [messageOf(each.reason)] : []));
}

/** The raw status of wait(2); undefined if no process ever ran, or it was lost. */
async function endProcesses(container: ManagedContainer): Promise<number | undefined> {
  const { process: running, generation, id, launcher, view } = container;
  if (!running) {
    // Of a launch that was cut off, what the launcher made before it could say so.
    await launcherStep(container, 'destroy', () => generation.launcher.forget?.(view));
    return undefined;
  }
  // Nothing is left of it, and how it ended is on disk.
  if (container.exit && running.endIsRecorded) return container.exit.status;
  await launcherStep(container, 'destroy', () => running.destroy());
  const ms = generation.timeouts.destroy;
  const exited = running.exited.catch(() => undefined);
  return within(exited, ms, () => coreErrors.LAUNCHER_TIMED_OUT(launcher, 'end', id, ms));
}

/** Without them what they did can't be undone: nothing is deleted, and the container says so. */
function missingIsolators({ id, isolation, generation, begun }: ManagedContainer): string[] {
  const missing = isolation.filter((name) => begun.has(name) && !generation.isolation.has(name));
  return missing.length > 0 ? [messageOf(coreErrors.ISOLATORS_MISSING(id, missing))] : [];
}

/** In reverse, every tap, also after one that failed. */
async function cleanUp(container: ManagedContainer): Promise<string[]> {
  const { generation, subject, view, begun, cleaned } = container;
  const problems: string[] = [];
  for (const tap of generation.phases.of('cleanup', subject).toReversed()) {
    if (!begun.has(tap.isolator) || cleaned.has(tap.isolator)) continue;
    try {
      await generation.phases.call(tap, subject, [view]);
      cleaned.add(tap.isolator);
    } catch (error) {
      problems.push((error as CaissonError).message);
    }
  }
  return problems;
}

function terminationOf({ cause, launched }: ManagedContainer, status: number | undefined): Termination {
  const { reason = 'EXITED', message, limitation } = cause ?? {};
  return {
    ...(status !== undefined && launched && { status, ...decodeWaitStatus(status) }),
    reason,
    ...(message !== undefined && { message }),
    ...(limitation && { limitation }),
  };
}

/** What was launched is remembered until remove(); of a launch that failed nothing is left. */
async function finish(core: Core, container: ManagedContainer, termination: Termination): Promise<void> {
  if (container.launched) remember(core, container, termination);
  else await removeFiles(container.place);
  closeProcess(core, container);
  container.problem = undefined;
  container.end(termination);
  container.parent?.children.delete(container);
  container.generation.leave();
  core.emit({ type: 'state', id: container.id, state: 'ENDED' });
  core.emit({ type: 'ended', id: container.id, termination });
}

function closeProcess(core: Core, { id, process: ended }: ManagedContainer): void {
  try {
    ended?.close();
  } catch (error) {
    core.log.warn({ container: id, error: messageOf(error) }, 'the launcher did not give back what it held');
  }
}

/**
 * On disk before it is told. Where the launcher has it there already, and there is nothing else to tell, it may come a moment
 * later, and not at all if the container is removed by then: a start in between would find the same end.
 */
function remember(core: Core, container: ManagedContainer, termination: Termination): void {
  // The next owner would find nobody to tell.
  if (core.transient) return;
  const { reason, message, limitation } = termination;
  const isMere = reason === 'EXITED' && message === undefined && limitation === undefined;
  if (!isMere || !container.process?.endIsRecorded) {
    write(core, container, termination);
    return;
  }
  core.unwritten.add(container);
  setImmediate(() => writeLate(core, container));
}

/** Does nothing if it was written, or the container removed, before. */
export function writeLate(core: Core, container: ManagedContainer): void {
  if (core.unwritten.delete(container)) write(core, container, container.termination!);
}

function write(core: Core, container: ManagedContainer, termination: Termination): void {
  try {
    failpoint('destroy.recording');
    writeRecord(container.place.runtimeDirectory, { ...container.record(), termination });
  } catch (error) {
    // The container has ended all the same. The next start finds the launcher's own record of the status.
    core.log.error({ container: container.id, error: messageOf(error) }, 'the termination is not on disk');
  }
}
