import { type CaissonError, messageOf, withCause } from '@caisson/plugin-sdk';
import type { LauncherStep } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { attributed } from '../hooks/tap.js';
import { within } from '../hooks/within.js';
import { monotonicMs } from '../system-clock.js';
import type { ManagedContainer } from './managed-container.js';

const VERBS: Readonly<Record<LauncherStep, string>> = { fork: 'start', release: 'execute', destroy: 'end' };

/**
 * One step of the launcher: measured, limited in time, its failure attributed. At once where it finishes at once.
 *
 * @param late  takes the result of a step that finished when nobody waited any more
 */
export async function launcherStep<T>(
  container: ManagedContainer,
  step: LauncherStep,
  call: () => Promise<T> | T,
  late?: (result: T) => unknown,
): Promise<T> {
  const start = monotonicMs();
  try {
    const result = call();
    return isPromise(result) ? await bounded(container, step, result, late) : result;
  } catch (error) {
    throw stepError(container, step, error);
  } finally {
    container.time('launcher', step, monotonicMs() - start);
  }
}

const isPromise = <T>(value: Promise<T> | T): value is Promise<T> =>
  typeof (value as { then?: unknown } | undefined)?.then === 'function';

async function bounded<T>(
  { id, launcher, generation }: ManagedContainer,
  step: LauncherStep,
  pending: Promise<T>,
  late: ((result: T) => unknown) | undefined,
): Promise<T> {
  const ms = generation.timeouts[step];
  let over = false;
  if (late) pending.then((result) => over && late(result)).catch(() => {});
  return within(pending, ms, () => {
    over = true;
    return coreErrors.LAUNCHER_TIMED_OUT(launcher, step, id, ms);
  });
}

function stepError({ id, launcher }: ManagedContainer, step: LauncherStep, error: unknown): CaissonError {
  if ((error as { code?: unknown } | undefined)?.code === 'LAUNCHER_TIMED_OUT') return error as CaissonError;
  const failed = coreErrors.LAUNCHER_FAILED(launcher, VERBS[step], id, messageOf(error));
  return withCause(attributed(failed, error, { launcher, step, container: id }), error);
}
