import { constants } from 'node:os';
import { SyscallError } from '../errors.js';
import { checked, lastErrno, libc, systemCall } from '../libc.js';
import { flagNames, O, RESOLVE } from './flags.js';

const { EAGAIN } = constants.errno;

const openat2Native = systemCall('openat2', ['int', 'const char*', 'void*', 'size_t']);
const mkdiratNative = libc('mkdirat', 'int', ['int', 'const char*', 'uint']);
const mknodatNative = systemCall('mknodat', ['int', 'const char*', 'uint', 'uint']);
const symlinkatNative = libc('symlinkat', 'int', ['const char*', 'int', 'const char*']);
const linkatNative = libc('linkat', 'int', ['int', 'const char*', 'int', 'const char*', 'int']);
const unlinkatNative = libc('unlinkat', 'int', ['int', 'const char*', 'int']);
const readlinkatNative = libc('readlinkat', 'long', ['int', 'const char*', 'void*', 'size_t']);
const fchownatNative = libc('fchownat', 'int', ['int', 'const char*', 'uint', 'uint', 'int']);
const fstatfsNative = libc('fstatfs', 'int', ['int', 'void*']);
const pipe2Native = libc('pipe2', 'int', ['void*', 'int']);
const spliceNative = libc('splice', 'long', ['int', 'void*', 'int', 'void*', 'size_t', 'uint']);
const fcntlNative = libc('fcntl', 'int', ['int', 'int', 'long']);
const closeNative = libc('close', 'int', ['int']);
const ioctlNative = libc('ioctl', 'int', ['int', 'ulong', 'void*']);
const ioctlNumberNative = libc('ioctl', 'int', ['int', 'ulong', 'long']);

/** `struct open_how`: flags, mode, resolve (openat2(2)). */
export function openHow(flags: number, resolve: number, mode = 0): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

/** How often a path is looked up anew when the tree changed under it: each time is a matter of microseconds. */
const MOST_TRIES = 128;

/**
 * openat2(2): opens below `dirfd` with rules for every component of the path. The kernel gives up with EAGAIN where
 * anything on the host was renamed or mounted while it went through a `..`: then it is asked again.
 *
 * @throws SyscallError  ELOOP a link where none is allowed; EXDEV the path leaves `dirfd`; ENOENT; ENOTDIR; EAGAIN the
 *                       tree changed each time
 * Source  https://man7.org/linux/man-pages/man2/openat2.2.html
 */
export function openat2(dirfd: number, path: string, flags: number, resolve: number, mode = 0): number {
  const how = openHow(flags | O.O_CLOEXEC, resolve, mode);
  for (let tries = 1; ; tries++) {
    const fd = Number(openat2Native(dirfd, path, how, 24));
    if (fd >= 0) return fd;
    const errno = lastErrno();
    if (errno === EAGAIN && tries < MOST_TRIES) continue;
    throw new SyscallError('openat2', errno, {
      dirfd,
      path,
      flags: flagNames(flags, O),
      resolve: flagNames(resolve, RESOLVE),
    });
  }
}

/** mkdirat(2). @throws SyscallError  EEXIST; ENOENT no parent; ENOTDIR */
export function mkdirat(dirfd: number, path: string, mode: number): void {
  checked(mkdiratNative(dirfd, path, mode), 'mkdirat', { dirfd, path, mode: `0${mode.toString(8)}` });
}

/** Major and minor as the kernel packs them into a dev_t of 32 bits (makedev(3)). */
export const deviceNumber = (major: number, minor: number): number =>
  ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;

/** mknodat(2). @param mode  type and permissions. @throws SyscallError  EEXIST; EPERM no CAP_MKNOD */
export function mknodat(dirfd: number, path: string, mode: number, device: number): void {
  checked(mknodatNative(dirfd, path, mode, device), 'mknodat', {
    dirfd,
    path,
    mode: `0${mode.toString(8)}`,
    device,
  });
}

/** symlinkat(2). @throws SyscallError  EEXIST; ENOENT */
export function symlinkat(target: string, dirfd: number, path: string): void {
  checked(symlinkatNative(target, dirfd, path), 'symlinkat', { target, dirfd, path });
}

/**
 * linkat(2). AT_SYMLINK_FOLLOW on `/proc/self/fd/<number>` names a file that was opened with O_TMPFILE.
 * @throws SyscallError  EEXIST; ENOENT; EXDEV another filesystem
 */
export function linkat(
  olddirfd: number,
  oldpath: string,
  newdirfd: number,
  newpath: string,
  flags = 0,
): void {
  const args = { olddirfd, oldpath, newdirfd, newpath, flags };
  checked(linkatNative(olddirfd, oldpath, newdirfd, newpath, flags), 'linkat', args);
}

/** unlinkat(2): AT_REMOVEDIR in `flags` removes a directory. @throws SyscallError  ENOENT; ENOTEMPTY; EBUSY a mount point */
export function unlinkat(dirfd: number, path: string, flags = 0): void {
  checked(unlinkatNative(dirfd, path, flags), 'unlinkat', { dirfd, path, flags });
}

/** readlinkat(2). @throws SyscallError  EINVAL no symbolic link; ENOENT */
export function readlinkat(dirfd: number, path: string): string {
  const buffer = Buffer.alloc(4096);
  const length = checked(readlinkatNative(dirfd, path, buffer, buffer.length), 'readlinkat', { dirfd, path });
  return buffer.toString('utf8', 0, length);
}

/** fchownat(2). @throws SyscallError  EPERM; ENOENT */
export function fchownat(dirfd: number, path: string, uid: number, gid: number, flags = 0): void {
  checked(fchownatNative(dirfd, path, uid, gid, flags), 'fchownat', { dirfd, path, uid, gid, flags });
}

/** Magic numbers of filesystems (statfs(2)). */
export const FILESYSTEM_MAGIC = {
  proc: 0x9fa0,
  sysfs: 0x62656572,
  tmpfs: 0x01021994,
  devpts: 0x1cd1,
  cgroup: 0x27e0eb,
  cgroup2: 0x63677270,
} as const;

/** The magic number of the filesystem that a descriptor is on (fstatfs(2)). */
export function filesystemMagic(fd: number): number {
  const buffer = Buffer.alloc(120);
  checked(fstatfsNative(fd, buffer), 'fstatfs', { fd });
  return Number(buffer.readBigInt64LE(0));
}

const pipeEnds = Buffer.alloc(8);

/** pipe2(2), close-on-exec. @throws SyscallError  EMFILE; ENFILE */
export function pipe(flags = 0): { readEnd: number; writeEnd: number } {
  checked(pipe2Native(pipeEnds, flags | O.O_CLOEXEC), 'pipe2', { flags });
  return { readEnd: pipeEnds.readInt32LE(0), writeEnd: pipeEnds.readInt32LE(4) };
}

const SPLICE_F_NONBLOCK = 2;
const spliceOffset = Buffer.alloc(8);

/**
 * splice(2): moves what is in a pipe to `offset` of a file, without waiting for more. A process that is killed meanwhile loses nothing:
 * each byte is in the pipe or in the file.
 *
 * @returns how many bytes; 0 if nobody can write to the pipe any more, undefined if there is nothing now
 * @throws SyscallError  ENOSPC, EDQUOT, EFBIG: it is in the pipe still; EINVAL the file is open to append, or its filesystem cannot
 */
export function spliceToFile(
  pipeEnd: number,
  file: number,
  offset: number,
  most: number,
): number | undefined {
  spliceOffset.writeBigInt64LE(BigInt(offset));
  const moved = Number(spliceNative(pipeEnd, null, file, spliceOffset, most, SPLICE_F_NONBLOCK));
  if (moved < 0 && lastErrno() === EAGAIN) return undefined;
  return checked(moved, 'splice', { pipeEnd, file, offset, most });
}

/** fcntl(2) with a number as argument. */
export function fcntl(fd: number, command: number, argument = 0): number {
  return checked(fcntlNative(fd, command, argument), 'fcntl', { fd, command, argument });
}

/** close(2). A descriptor is gone even when close reports an error: never retry. @throws SyscallError  EBADF */
export function close(fd: number): void {
  checked(closeNative(fd), 'close', { fd });
}

/** ioctl(2) with a buffer as argument. */
export function ioctl(fd: number, request: number, argument: Buffer): number {
  return checked(ioctlNative(fd, request, argument), 'ioctl', { fd, request: `0x${request.toString(16)}` });
}

/** ioctl(2) with a number as argument. */
export function ioctlNumber(fd: number, request: number, argument: number): number {
  return checked(ioctlNumberNative(fd, request, argument), 'ioctl', {
    fd,
    request: `0x${request.toString(16)}`,
    argument,
  });
}
