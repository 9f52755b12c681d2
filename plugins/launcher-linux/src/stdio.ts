import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '@caisson/linux';
import { F, fcntl, openDirectory, openDirectoryBeneath } from '@caisson/linux/syscalls';
import { type Container, parentOf, type ResolvedUser } from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import type { NullInput } from './null-input.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/** The descriptors that become 0, 1 and 2, and those of them that are ours to close. */
export interface Stdio {
  readonly descriptors: readonly [number, number, number];
  readonly owned: readonly number[];
}

export const inheritedStdio: Stdio = { descriptors: [0, 1, 2], owned: [] };

/** The null device, and the files `stdout` and `stderr` of the sandbox. */
export function sandboxStdio(container: Container, user: ResolvedUser | undefined, input: NullInput): Stdio {
  const owned: number[] = [];
  const sandbox = holdSandbox(container);
  try {
    owned.push(input.open());
    for (const name of ['stdout', 'stderr']) owned.push(openOutput(join(sandbox.path, name), user));
    return { descriptors: owned as unknown as [number, number, number], owned };
  } catch (error) {
    for (const fd of owned) closeSync(fd);
    throw error;
  } finally {
    sandbox.close();
  }
}

/** That of a nested container lies in a tree that its parent writes: no link in it is followed (threat model F8). */
function holdSandbox({ id, sandbox }: Container): { readonly path: string; close(): void } {
  if (parentOf(id) === undefined) return { path: sandbox, close() {} };
  // containers/<name> for each level below the outermost one, whose own sandbox no container can put in another place.
  const depth = 2 * (id.split('.').length - 1);
  const parts = sandbox.split('/');
  const outermost = openDirectory(parts.slice(0, -depth).join('/'));
  try {
    const fd = openDirectoryBeneath(outermost, parts.slice(-depth).join('/'));
    return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
  } catch (error) {
    if (isErrno(error, 'ELOOP', 'ENOENT', 'ENOTDIR'))
      throw errors.SANDBOX_FILE_REFUSED(sandbox, 'its parent has put something else in its place');
    throw error;
  } finally {
    closeSync(outermost);
  }
}

/**
 * A container that ran here before may have left anything under this name: a link to a file of the host, a FIFO that
 * would block the agent, a second name of another file (threat model F8).
 */
function openOutput(path: string, user: ResolvedUser | undefined): number {
  const fd = openNoFollow(path);
  const stat = fstatSync(fd);
  const problem = !stat.isFile()
    ? 'it is not a regular file'
    : stat.nlink !== 1
      ? 'it has a second name'
      : undefined;
  if (problem) {
    closeSync(fd);
    throw errors.SANDBOX_FILE_REFUSED(path, problem);
  }
  if (user) fchownSync(fd, user.uid, user.gid);
  // O_NONBLOCK was for the open alone: the container shares the open file, flags included.
  fcntl(fd, F.F_SETFL, O_APPEND);
  return fd;
}

function openNoFollow(path: string): number {
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o640);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw errors.SANDBOX_FILE_REFUSED(path, 'it is a symbolic link');
    if (code === 'ENXIO') throw errors.SANDBOX_FILE_REFUSED(path, 'it is a FIFO, a socket or a device');
    if (code === 'EISDIR') throw errors.SANDBOX_FILE_REFUSED(path, 'it is a directory');
    throw error;
  }
}
