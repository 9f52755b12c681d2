/**
 * What kind of failure an error is. The HTTP API turns it into a status, the command line into an exit code.
 * `invalid` the caller's input; `not-found`; `conflict` with what exists; `denied` by a rule or the operator;
 * `unsupported` by this host; `timeout`; `exhausted` a resource ran out; `failed` anything the kernel or a plugin refused.
 */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'conflict'
  | 'denied'
  | 'unsupported'
  | 'timeout'
  | 'exhausted'
  | 'failed';

export interface CaissonErrorInit {
  code: string;
  kind: ErrorKind;
  message: string;
  hint?: string | undefined;
  details?: Readonly<Record<string, unknown>> | undefined;
  cause?: unknown;
}

/**
 * An error made for the person who reads it. Packages are versioned apart, so recognise one by its `code`
 * (`isCaissonError`), never by `instanceof`.
 *
 * `message` says what was attempted, on what, and what came back; `hint` what to do about it.
 */
export class CaissonError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(init: CaissonErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'CaissonError';
    this.code = init.code;
    this.kind = init.kind;
    this.hint = init.hint;
    this.details = init.details ?? {};
  }
}

/** True for an error of any copy of this package: it carries `code` and `kind`. */
export function isCaissonError(error: unknown): error is CaissonError {
  return error instanceof Error && 'code' in error && 'kind' in error && typeof error.code === 'string';
}

export interface ErrorDefinition<Args extends unknown[]> {
  kind: ErrorKind;
  message: (...args: Args) => string;
  hint?: (...args: Args) => string | undefined;
  details?: (...args: Args) => Record<string, unknown>;
}

// biome-ignore lint/suspicious/noExplicitAny: each entry keeps its own argument types
type ErrorTable = Record<string, ErrorDefinition<any[]>>;

/** `errors.CODE(...args)` makes the error; pass `{ cause }` through `withCause`. */
export type Errors<Table extends ErrorTable> = {
  [Code in keyof Table]: (...args: Parameters<Table[Code]['message']>) => CaissonError;
};

/**
 * One table of a package's errors: code, kind, message, what to do.
 *
 *     export const errors = defineErrors({
 *       PID_SHARING_DISALLOWED: { kind: 'denied', message: (id: string) => `...`, hint: () => `...` },
 *     });
 *     throw errors.PID_SHARING_DISALLOWED(container.id);
 */
export function defineErrors<Table extends ErrorTable>(table: Table): Errors<Table> {
  const makers: Record<string, (...args: unknown[]) => CaissonError> = {};
  for (const [code, { kind, message, hint, details }] of Object.entries(table)) {
    makers[code] = (...args) =>
      new CaissonError({
        code,
        kind,
        message: message(...args),
        hint: hint?.(...args),
        details: details?.(...args),
      });
  }
  return makers as Errors<Table>;
}

/** The same error with what caused it. */
export function withCause(error: CaissonError, cause: unknown): CaissonError {
  const { code, kind, message, hint, details } = error;
  return new CaissonError({ code, kind, message, hint, details, cause });
}

/** The message of anything that was thrown, also when it is no Error. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return typeof thrown === 'string' ? thrown : `a thrown ${typeof thrown}: ${JSON.stringify(thrown)}`;
  } catch {
    return `a thrown ${typeof thrown}`;
  }
}
