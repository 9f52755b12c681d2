import { isErrno } from '../errors.js';
import { checked, libc } from '../libc.js';

const fgetxattrNative = libc('fgetxattr', 'long', ['int', 'const char*', 'void*', 'size_t']);
const fsetxattrNative = libc('fsetxattr', 'int', ['int', 'const char*', 'void*', 'size_t', 'int']);

// Calls block: one buffer for all of them. As long as the longest path.
const value = Buffer.alloc(4096);

/**
 * fgetxattr(2): the text of an extended attribute; undefined if there is none.
 * @throws SyscallError  EOPNOTSUPP the filesystem has none of this kind; ERANGE longer than 4096 bytes; EBADF with O_PATH
 */
export function fgetxattr(fd: number, name: string): string | undefined {
  try {
    const length = checked(fgetxattrNative(fd, name, value, value.length), 'fgetxattr', { fd, name });
    return value.toString('utf8', 0, length);
  } catch (error) {
    if (isErrno(error, 'ENODATA')) return undefined;
    throw error;
  }
}

/**
 * fsetxattr(2): sets an extended attribute, whether it was there or not. Those in `trusted.` are for CAP_SYS_ADMIN only.
 * @throws SyscallError  EPERM no CAP_SYS_ADMIN; EOPNOTSUPP; ENOSPC; EBADF with O_PATH
 */
export function fsetxattr(fd: number, name: string, text: string): void {
  const bytes = Buffer.from(text);
  checked(fsetxattrNative(fd, name, bytes, bytes.length, 0), 'fsetxattr', { fd, name, text });
}
