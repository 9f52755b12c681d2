import { chmodSync, lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { coreErrors } from '../errors.js';

/** 0700: nobody else looks at state (threat model K5). */
export const PRIVATE = 0o700;
/** 0711: users find what is theirs below it, and can't list it. */
export const SEARCHABLE = 0o711;

/**
 * Makes a directory for state, or takes one that is there: it must be ours and writable by nobody else. In a temporary
 * directory anybody may have made it first, or a link of this name.
 *
 * @throws DIRECTORY_UNSAFE, STATE_WRITE_FAILED
 */
export function ensureStateDirectory(path: string, mode: number): void {
  if (made(path, mode)) {
    chmodSync(path, mode); // whatever the umask
    return;
  }
  const isOurs = ({ uid }: Stats) => uid === process.getuid?.() || uid === 0;
  const entry = lstatSync(path);
  if (!isOurs(entry)) throw coreErrors.DIRECTORY_UNSAFE(path, `belongs to uid ${entry.uid}`);
  const stat = statSync(path);
  if (!stat.isDirectory()) throw coreErrors.DIRECTORY_UNSAFE(path, 'is no directory');
  if (stat.uid !== process.getuid?.()) throw coreErrors.DIRECTORY_UNSAFE(path, `belongs to uid ${stat.uid}`);
  if (stat.mode & 0o022) throw coreErrors.DIRECTORY_UNSAFE(path, 'is writable by others');
  // What was stricter stays so.
  if ((stat.mode & 0o777 & ~mode) !== 0) chmodSync(path, stat.mode & mode);
}

function made(path: string, mode: number): boolean {
  try {
    return mkdirSync(path, { recursive: true, mode }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw coreErrors.STATE_WRITE_FAILED(path, (error as Error).message);
  }
}
