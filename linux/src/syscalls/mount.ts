import { checked, libc, systemCall } from '../libc.js';
import { flagNames, MOUNT_ATTR, MS, UMOUNT } from './flags.js';

const mountNative = libc('mount', 'int', [
  'const char*',
  'const char*',
  'const char*',
  'ulong',
  'const char*',
]);
const umount2Native = libc('umount2', 'int', ['const char*', 'int']);
const pivotRootNative = systemCall('pivot_root', ['const char*', 'const char*']);
const openTreeNative = systemCall('open_tree', ['int', 'const char*', 'uint']);
const moveMountNative = systemCall('move_mount', ['int', 'const char*', 'int', 'const char*', 'uint']);
const mountSetattrNative = systemCall('mount_setattr', ['int', 'const char*', 'uint', 'void*', 'size_t']);
const fsopenNative = systemCall('fsopen', ['const char*', 'uint']);
const fsconfigNative = systemCall('fsconfig', ['int', 'uint', 'const char*', 'const char*', 'int']);
const fsmountNative = systemCall('fsmount', ['int', 'uint', 'uint']);

export interface MountArguments {
  source?: string | null;
  target: string;
  type?: string | null;
  flags?: number;
  data?: string | null;
}

/**
 * mount(2): attaches a filesystem at `target`, or changes a mount that is there.
 *
 * @param flags  MS_* bits. MS_BIND ignores MS_RDONLY: bind first, then remount read-only.
 * @param data   the filesystem's own options, comma-separated
 * @throws SyscallError  EPERM no CAP_SYS_ADMIN; ENOENT no such path; EBUSY in use; ENODEV no such filesystem
 * Source  https://man7.org/linux/man-pages/man2/mount.2.html
 */
export function mount({ source = null, target, type = null, flags = 0, data = null }: MountArguments): void {
  checked(mountNative(source, target, type, flags, data), 'mount', {
    source,
    target,
    type,
    flags: flagNames(flags, MS),
    data,
  });
}

/**
 * umount2(2).
 * @throws SyscallError  EBUSY in use (without MNT_DETACH); EINVAL no mount point; EPERM; ENOENT
 */
export function umount(target: string, flags = 0): void {
  checked(umount2Native(target, flags), 'umount2', { target, flags: flagNames(flags, UMOUNT) });
}

/** pivot_root(2). @throws SyscallError  EINVAL `newRoot` is no mount point or a shared mount is involved; EBUSY */
export function pivotRoot(newRoot: string, putOld: string): void {
  checked(pivotRootNative(newRoot, putOld), 'pivot_root', { new_root: newRoot, put_old: putOld });
}

/**
 * open_tree(2): a descriptor of a mount, or with OPEN_TREE_CLONE of a detached copy of it.
 * @throws SyscallError  ENOENT; EPERM no CAP_SYS_ADMIN (clone); EINVAL unknown flag or an unbindable mount
 */
export function openTree(dirfd: number, path: string, flags: number): number {
  return checked(openTreeNative(dirfd, path, flags), 'open_tree', { dirfd, path, flags });
}

/** move_mount(2). @throws SyscallError  ENOENT; EINVAL no mount, or a directory on a file; ELOOP it would contain itself */
export function moveMount(
  fromFd: number,
  fromPath: string,
  toFd: number,
  toPath: string,
  flags: number,
): void {
  checked(moveMountNative(fromFd, fromPath, toFd, toPath, flags), 'move_mount', {
    from_dirfd: fromFd,
    from_path: fromPath,
    to_dirfd: toFd,
    to_path: toPath,
    flags,
  });
}

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd (mount_setattr(2)). */
export function mountAttributes(set: number, clear = 0, propagation = 0): Buffer {
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(BigInt(set), 0);
  attributes.writeBigUInt64LE(BigInt(clear), 8);
  attributes.writeBigUInt64LE(BigInt(propagation), 16);
  return attributes;
}

/** mount_setattr(2): AT_RECURSIVE in `flags` changes the mounts below too. @throws SyscallError  EINVAL; EPERM a locked flag */
export function mountSetattr(dirfd: number, path: string, flags: number, attributes: Buffer): void {
  const set = flagNames(Number(attributes.readBigUInt64LE(0)), MOUNT_ATTR);
  checked(mountSetattrNative(dirfd, path, flags, attributes, attributes.length), 'mount_setattr', {
    dirfd,
    path,
    flags,
    set,
  });
}

/** fsopen(2). @throws SyscallError  ENODEV no such filesystem; EPERM */
export function fsopen(filesystem: string, flags = 1): number {
  return checked(fsopenNative(filesystem, flags), 'fsopen', { filesystem, flags });
}

/** fsconfig(2). @throws SyscallError  EINVAL the filesystem does not know the option; EBUSY it was created already */
export function fsconfig(
  fd: number,
  command: number,
  key: string | null = null,
  value: string | null = null,
  aux = 0,
): void {
  checked(fsconfigNative(fd, command, key, value, aux), 'fsconfig', { fd, command, key, value, aux });
}

/** fsmount(2): a detached mount of a configured filesystem. @throws SyscallError  EINVAL; EPERM */
export function fsmount(fd: number, flags: number, attributes: number): number {
  return checked(fsmountNative(fd, flags, attributes), 'fsmount', {
    fd,
    flags,
    attributes: flagNames(attributes, MOUNT_ATTR),
  });
}
