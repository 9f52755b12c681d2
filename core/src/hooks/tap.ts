/**
 * One tap of one isolator, called in one way whatever kind of tap it is: at once where it finishes at once, and with
 * everything that an isolator may do wrong turned into an error that names isolator, phase and container (K2).
 */
import { type CaissonError, isCaissonError, messageOf, type Phase, withCause } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { formatValue } from '../plain-data.js';

export type TapKind = 'sync' | 'async' | 'promise';

// biome-ignore lint/suspicious/noExplicitAny: a tap takes what its phase hands over
export type TapFunction = (...args: any[]) => unknown;

export interface Tap {
  readonly isolator: string;
  readonly phase: Phase;
  readonly kind: TapKind;
  readonly supportsNesting: boolean;
  readonly call: TapFunction;
}

/** What a tap broke the contract with. */
class Nonsense extends Error {}

/** Undefined if it has finished; else it finishes when the promise does. Throws what the tap throws. */
export function callTap({ kind, call }: Tap, args: readonly unknown[]): PromiseLike<void> | undefined {
  if (kind === 'async') return callWithCallback(call, args);
  const result = call(...args);
  if (result === undefined) return undefined;
  if (!isThenable(result)) throw new Nonsense(returned(result));
  return settledWithNothing(result);
}

function callWithCallback(call: TapFunction, args: readonly unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown, result?: unknown): void => {
      if (error !== undefined && error !== null && error !== false) reject(error);
      else if (result !== undefined) reject(new Nonsense(returned(result)));
      else resolve();
    };
    call(...args, done);
  });
}

/** A foreign promise may throw in `then`, or settle twice: the first time counts. */
const settledWithNothing = (promise: PromiseLike<unknown>): Promise<void> =>
  new Promise<unknown>((resolve) => resolve(promise)).then((value) => {
    if (value !== undefined) throw new Nonsense(returned(value));
  });

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

const returned = (value: unknown): string =>
  `it returned ${formatValue(value)}; a tap returns nothing, or a promise of nothing, and fills in what it was given`;

/** The error as the caller sees it. What the isolator coded stays its code, kind, and hint. */
export function tapError(
  tap: Pick<Tap, 'isolator' | 'phase'>,
  container: string,
  error: unknown,
): CaissonError {
  const { isolator, phase } = tap;
  if (error instanceof Nonsense) return coreErrors.TAP_NONSENSE(isolator, phase, container, error.message);
  return withCause(
    attributed(coreErrors.TAP_FAILED(isolator, phase, container, messageOf(error)), error, {
      isolator,
      phase,
      container,
    }),
    error,
  );
}

/** `wrapped`, with the code of the error that it wraps, where that one was made for people. */
export function attributed(
  wrapped: CaissonError,
  error: unknown,
  details: Readonly<Record<string, unknown>>,
): CaissonError {
  const { code } = (error ?? {}) as { code?: unknown };
  const lacks = SCARCE.has(code) && { kind: 'exhausted' as const };
  if (!isCaissonError(error)) return withDetails(wrapped, { ...lacks }, details);
  // A failed system call has a code too, but one that only its place gives a meaning.
  const own = typeof error.details === 'object' ? { code: error.code } : {};
  return withDetails(
    wrapped,
    { ...own, kind: error.kind, ...lacks, hint: error.hint },
    { ...error.details, ...details },
  );
}

/** What the kernel says when it is the host that lacks something, and nothing is wrong with what was asked for. */
const SCARCE: ReadonlySet<unknown> = new Set([
  'EAGAIN',
  'ENOMEM',
  'EMFILE',
  'ENFILE',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
]);

const withDetails = (
  error: CaissonError,
  overrides: Partial<Pick<CaissonError, 'code' | 'kind' | 'hint'>>,
  details: Readonly<Record<string, unknown>>,
): CaissonError => Object.assign(withCause(error, undefined), overrides, { details });
