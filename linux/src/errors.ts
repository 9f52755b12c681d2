import { adviceFor } from './advice.js';
import { errnoName, errnoText } from './errno.js';

export type SyscallArguments = Readonly<Record<string, unknown>>;

/** `mount(source="none", target="/", flags=MS_SLAVE|MS_REC)`: a call as strace prints it. */
export function formatCall(syscall: string, args: SyscallArguments): string {
  const list = Object.entries(args)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'string' && !isSymbolic(value) ? JSON.stringify(value) : value}`,
    );
  return `${syscall}(${list.join(', ')})`;
}

/** Flags by their names, and numbers written in octal or hexadecimal, stand without quotes. */
const isSymbolic = (value: string): boolean =>
  /^(0|0[0-7]+|0x[0-9a-f]+|[A-Z][A-Z0-9_]*([|][A-Z0-9_x]+)*)$/.test(value);

/**
 * A system call that failed. `code` is the errno's name; the message says what was attempted, on what, and what the
 * kernel said; `hint` is there where the errno misleads.
 */
export class SyscallError extends Error {
  readonly code: string;
  readonly kind = 'failed';
  readonly hint: string | undefined;

  constructor(
    readonly syscall: string,
    readonly errno: number,
    readonly args: SyscallArguments = {},
  ) {
    const code = errnoName(errno);
    super(`${formatCall(syscall, args)}: ${code} (${errnoText(code)})`);
    this.name = 'SyscallError';
    this.code = code;
    this.hint = adviceFor(syscall, code);
  }
}

/** True for a failed call, of any copy of this package, with one of the errnos. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code as string);
}
