import { type CaissonError, messageOf, type Phase } from '@caisson/plugin-sdk';
import type { Timeouts } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { monotonicMs } from '../system-clock.js';
import type { TapsByPhase } from './register.js';
import { callTap, type Tap, tapError } from './tap.js';
import { within } from './within.js';

/** Whose phase it is. */
export interface PhaseSubject {
  /** The container's id, for messages; `-` for all of them. */
  readonly id: string;
  readonly isNested: boolean;
  /** The isolators that it was launched with. */
  readonly isolation: ReadonlySet<string>;
  readonly onTimed?: ((phase: Phase, isolator: string, ms: number) => void) | undefined;
}

export interface TapFailure {
  readonly isolator: string;
  readonly error: CaissonError;
}

export interface PhaseObserver {
  /** After each tap. */
  tapped(id: string, tap: Tap, ms: number, failed: boolean): void;
  /** A tap failed after nobody waited for it any more. */
  failedLate(id: string, tap: Tap, error: unknown): void;
}

/** What a tap is called with. */
export type ArgumentsOf = (tap: Tap) => readonly unknown[];

/** Calls the taps of one generation: measured, limited in time, failures attributed. */
export class Phases {
  constructor(
    readonly taps: TapsByPhase,
    private readonly timeouts: Timeouts,
    private readonly observer: PhaseObserver,
  ) {}

  /** The taps that a container has in a phase, in isolation order. */
  of(phase: Phase, subject: PhaseSubject): readonly Tap[] {
    return this.taps[phase].filter(
      (tap) => subject.isolation.has(tap.isolator) && (!subject.isNested || tap.supportsNesting),
    );
  }

  /** One tap. Undefined if it finished at once. Throws, or rejects with, the failure attributed. */
  call(tap: Tap, subject: PhaseSubject, args: readonly unknown[]): Promise<void> | undefined {
    const start = monotonicMs();
    try {
      const pending = callTap(tap, args);
      if (pending) return this.#finish(tap, subject, start, pending);
    } catch (error) {
      this.#timed(tap, subject, start, true);
      throw tapError(tap, subject.id, error);
    }
    this.#timed(tap, subject, start, false);
    return undefined;
  }

  /** All at once. Waits for all, also after a failure; resolves with what failed. */
  async parallel(phase: Phase, subject: PhaseSubject, argumentsOf: ArgumentsOf): Promise<TapFailure[]> {
    const failures: TapFailure[] = [];
    const pending: Promise<unknown>[] = [];
    for (const tap of this.of(phase, subject)) {
      const fail = (error: unknown): void => {
        failures.push({ isolator: tap.isolator, error: error as CaissonError });
      };
      try {
        const finishing = this.call(tap, subject, argumentsOf(tap));
        if (finishing) pending.push(finishing.catch(fail));
      } catch (error) {
        fail(error);
      }
    }
    if (pending.length > 0) await Promise.all(pending);
    return failures;
  }

  async #finish(tap: Tap, subject: PhaseSubject, start: number, pending: PromiseLike<void>): Promise<void> {
    const ms = this.timeouts[tap.phase as keyof Timeouts] ?? this.timeouts.isolate;
    const expired = () => coreErrors.TAP_TIMED_OUT(tap.isolator, tap.phase, subject.id, ms);
    let failed = true;
    try {
      await within(pending, ms, expired, (error) => this.observer.failedLate(subject.id, tap, error));
      failed = false;
    } catch (error) {
      throw isTimeout(error) ? error : tapError(tap, subject.id, error);
    } finally {
      this.#timed(tap, subject, start, failed);
    }
  }

  #timed(tap: Tap, subject: PhaseSubject, start: number, failed: boolean): void {
    const ms = monotonicMs() - start;
    subject.onTimed?.(tap.phase, tap.isolator, ms);
    this.observer.tapped(subject.id, tap, ms, failed);
  }
}

const isTimeout = (error: unknown): boolean =>
  (error as { code?: unknown } | undefined)?.code === 'TAP_TIMED_OUT';

/** One failure as it is; several as one error that names all. */
export function combined(phase: Phase, id: string, failures: readonly TapFailure[]): CaissonError {
  if (failures.length === 1) return failures[0]!.error;
  return coreErrors.PHASE_FAILED(
    phase,
    id,
    failures.map(({ error }) => messageOf(error)),
  );
}
