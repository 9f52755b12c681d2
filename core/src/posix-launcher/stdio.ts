import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { relative } from 'node:path';
import type { Container } from '@caisson/plugin-sdk';
import { type HeldDirectory, holdBeneath } from '../containerizer/beneath.js';
import { coreErrors } from '../errors.js';

const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;

/** The sandbox, by descriptor: a nested one lies in a tree that its parent writes (threat model F8). */
export const holdSandbox = (workDir: string, { sandbox }: Container): HeldDirectory =>
  holdBeneath(workDir, relative(workDir, sandbox).split('/'));

/**
 * `stdout` or `stderr` of the sandbox, to append. Whatever is there already must be a plain file with one name: not a
 * link, a FIFO (which would block), or a file that has another name elsewhere (F8).
 */
export function openOutput(sandbox: HeldDirectory, name: string, { id, user }: Container): number {
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
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
