import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { relative } from 'node:path';
import { type Container, type HeldDirectory, holdBeneath, type ResolvedUser } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import type { Place } from './place.js';

const { O_RDWR, O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * `stdout` or `stderr` of the sandbox, by default to append. Whatever is there already must be a plain file with one name: not a
 * link, a FIFO (which would block), or a file that has another name elsewhere (F8).
 */
export function openOutput(
  sandbox: HeldDirectory,
  name: string,
  { id, user }: Pick<Container, 'id' | 'user'>,
  access = O_WRONLY | O_APPEND,
): number {
  const flags = access | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  const fd = openSync(`${sandbox.path}/${name}`, flags, 0o640);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.nlink !== 1)
      throw coreErrors.SANDBOX_REFUSED(id, name, 'it is no plain file with one name');
    if (user && user.uid !== stat.uid) fchownSync(fd, user.uid, user.gid);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The same for a sandbox that nobody holds, to read and write: splice(2) refuses a file that is open to append. */
export function openOutputAt(place: Place, name: string, user: ResolvedUser | undefined): number {
  const sandbox = holdBeneath(place.guard, relative(place.guard, place.sandbox).split('/'));
  try {
    return openOutput(sandbox, name, { id: place.id, user }, O_RDWR);
  } finally {
    sandbox.close();
  }
}
