import { isErrno } from '../errors.js';
import { checked, libc } from '../libc.js';

const flockNative = libc('flock', 'int', ['int', 'int']);
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * flock(2), exclusive, without waiting. Held until the descriptor is closed, which the end of this process does too.
 * @returns false if somebody else holds it
 */
export function tryLock(fd: number): boolean {
  try {
    checked(flockNative(fd, LOCK_EX | LOCK_NB), 'flock', { fd });
    return true;
  } catch (error) {
    if (isErrno(error, 'EAGAIN', 'EINTR')) return false;
    throw error;
  }
}
