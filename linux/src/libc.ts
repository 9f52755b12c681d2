import { createRequire } from 'node:module';
import { type SyscallArguments, SyscallError } from './errors.js';
import { type SystemCallName, systemCallNumber } from './system-call-numbers.js';

/** The only place that loads libc: bound functions are looked up on their first call, so that start-up stays cheap. */
type Native = (...args: unknown[]) => number | bigint;
interface Koffi {
  load(path: string): {
    func(name: string, result: string, parameters: string[]): Native & { async: unknown };
  };
  errno(): number;
  address(buffer: Buffer): bigint;
}

let koffi: Koffi | undefined;
let library: ReturnType<Koffi['load']> | undefined;

/** koffi itself: for the event loop's poll. */
export function loadKoffi(): Koffi {
  koffi ??= requireKoffi();
  return koffi;
}

/**
 * The module for this system, which koffi itself would find after four more files, with its functions of old names;
 * where it cannot be seen from here, koffi.
 */
function requireKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  try {
    return require(`@koromix/koffi-${process.platform}-${process.arch}`);
  } catch {
    return require('koffi');
  }
}

function bind(symbol: string, result: string, parameters: string[]): Native {
  library ??= loadKoffi().load('libc.so.6');
  return library.func(symbol, result, parameters);
}

/** Binds `symbol` of libc on its first call. Types are koffi's: `int`, `const char*`, `void*` for a Buffer. */
export function libc(symbol: string, result: string, parameters: string[]): Native {
  let native: Native | undefined;
  return (...args) => {
    native ??= bind(symbol, result, parameters);
    return native(...args);
  };
}

/** Binds a system call that libc has no function for (or has only since recently). */
export function systemCall(name: SystemCallName, parameters: string[]): Native {
  const native = libc('syscall', 'long', ['long', ...parameters]);
  let number: number | undefined;
  return (...args) => {
    number ??= systemCallNumber(name);
    return native(number, ...args);
  };
}

/** Where a buffer lies: for structures that hold addresses. It must outlive them. */
export const addressOf = (buffer: Buffer): bigint => loadKoffi().address(buffer);

/** The errno of the call just made: nothing else may run between. */
export const lastErrno = (): number => loadKoffi().errno();

/**
 * The result of a call that returns -1 on failure, as a number.
 * @throws SyscallError with the arguments by name
 */
export function checked(result: number | bigint, syscall: string, args?: SyscallArguments): number {
  const value = Number(result);
  if (value >= 0) return value;
  throw new SyscallError(syscall, lastErrno(), args);
}
