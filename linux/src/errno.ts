import { constants } from 'node:os';

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
// Aliases of one number: the name that the man pages use.
names.set(constants.errno.EAGAIN, 'EAGAIN');
names.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');
names.set(117, 'EUCLEAN');
names.set(126, 'ENOKEY');
names.set(132, 'ERFKILL');
names.set(512, 'ERESTARTSYS');

const numbers = new Map([...names].map(([number, name]) => [name, number]));

/** The name of an errno, such as `ENOENT`. */
export const errnoName = (errno: number): string => names.get(errno) ?? `errno ${errno}`;

/** The number of a name, such as 2 for `ENOENT`; throws on a name that the kernel does not have. */
export function errnoNumber(name: string): number {
  const number = numbers.get(name) ?? (constants.errno as Record<string, number>)[name];
  if (number === undefined) throw new Error(`no such errno: ${name}`);
  return number;
}

const TEXTS: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  ESRCH: 'No such process',
  EINTR: 'Interrupted system call',
  EIO: 'Input/output error',
  ENXIO: 'No such device or address',
  E2BIG: 'Argument list too long',
  ENOEXEC: 'Exec format error',
  EBADF: 'Bad file descriptor',
  ECHILD: 'No child processes',
  EAGAIN: 'Resource temporarily unavailable',
  ENOMEM: 'Cannot allocate memory',
  EACCES: 'Permission denied',
  EFAULT: 'Bad address',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EXDEV: 'Invalid cross-device link',
  ENODEV: 'No such device',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EINVAL: 'Invalid argument',
  ENFILE: 'Too many open files in system',
  EMFILE: 'Too many open files',
  ENOTTY: 'Inappropriate ioctl for device',
  ETXTBSY: 'Text file busy',
  EFBIG: 'File too large',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  EMLINK: 'Too many links',
  EPIPE: 'Broken pipe',
  ENAMETOOLONG: 'File name too long',
  ENOSYS: 'Function not implemented',
  ENOTEMPTY: 'Directory not empty',
  ELOOP: 'Too many levels of symbolic links',
  EOPNOTSUPP: 'Operation not supported',
  EUSERS: 'Too many users',
  ETIMEDOUT: 'Connection timed out',
  EDQUOT: 'Disk quota exceeded',
};

/** What strerror(3) says, in English whatever the locale. */
export const errnoText = (name: string): string => TEXTS[name] ?? name;
