import { closeSync, fchmodSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isErrno } from '../errors.js';
import { memfdNoexec } from '../proc/kernel.js';
import { executableMemfd, sealAll } from '../syscalls/memfd.js';

/** How the image reaches execve: a sealed memfd, or an unlinked file where the kernel refuses executable memfds. */
export type ImageMode = 'memfd' | 'file';

const MEMFD_NAME = 'caisson';
const FILE_PREFIX = '.image-';

/** True if what /proc/<pid>/exe leads to is an image: the process has not executed anything else. */
export const isImage = (executable: string): boolean =>
  executable.startsWith(`/memfd:${MEMFD_NAME}`) || basename(executable).startsWith(FILE_PREFIX);

/** vm.memfd_noexec=2 refuses MFD_EXEC (sysctl vm, since Linux 6.3). */
export const imageMode = (): ImageMode => (memfdNoexec() >= 2 ? 'file' : 'memfd');

/**
 * A descriptor of the image that nobody can write to: what stands behind /proc/self/exe until the container's own
 * program replaces it (threat model N8). The caller closes it.
 *
 * @param directory  for the mode `file`: not on a noexec mount
 * @throws SyscallError  EMFILE; ENOSPC
 */
export function sealImage(image: Buffer, mode: ImageMode, directory: string): number {
  return mode === 'memfd' ? sealedMemfd(image) : unlinkedFile(image, directory);
}

/** The same, in whichever mode the kernel takes: asked by doing, since a sysctl may change at any time. */
export function sealExecutable(image: Buffer, directory: string): number {
  try {
    return sealedMemfd(image);
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error;
    return unlinkedFile(image, directory);
  }
}

function sealedMemfd(image: Buffer): number {
  const fd = executableMemfd(MEMFD_NAME);
  try {
    writeSync(fd, image);
    sealAll(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

let count = 0;

/** Opened again read-only: execve refuses a file that is open for writing (ETXTBSY). */
function unlinkedFile(image: Buffer, directory: string): number {
  const path = join(directory, `${FILE_PREFIX}${process.pid}-${count++}`);
  const writer = openSync(path, 'wx', 0o500);
  try {
    writeSync(writer, image);
    fchmodSync(writer, 0o500);
    return openSync(path, 'r');
  } finally {
    closeSync(writer);
    unlinkSync(path);
  }
}
