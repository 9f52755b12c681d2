/**
 * Project quotas of XFS and ext4: files bear the number of a project, and the filesystem counts what each project
 * has. A directory hands its number on to what is made in it.
 */
import { checked, systemCall } from '../libc.js';
import { ioctl } from './files.js';

const quotactlFdNative = systemCall('quotactl_fd', ['uint', 'uint', 'uint', 'void*']);

const PRJQUOTA = 2;
const Q_GETINFO = 0x800005;
const Q_GETQUOTA = 0x800007;
const Q_SETQUOTA = 0x800008;
const COMMANDS = { Q_GETINFO, Q_GETQUOTA, Q_SETQUOTA } as const;

/** `struct if_dqblk` (quotactl(2)); limits are in units of 1 KiB, 0 is none. */
const DQBLK_BYTES = 72;
const LIMIT_UNIT = 1024;
const [B_HARD, B_SOFT, CURSPACE, I_HARD, I_SOFT, CURINODES, VALID] = [0, 8, 16, 24, 32, 40, 64];
const [QIF_BLIMITS, QIF_ILIMITS] = [1, 4];

function quotactlFd(fd: number, name: keyof typeof COMMANDS, id: number, argument: Buffer): void {
  const command = (COMMANDS[name] << 8) | PRJQUOTA;
  checked(quotactlFdNative(fd, command >>> 0, id, argument), 'quotactl_fd', {
    fd,
    cmd: `${name}|PRJQUOTA`,
    id,
  });
}

/**
 * Fails unless the filesystem of a descriptor counts projects (quotactl_fd(2), since Linux 5.14).
 * @throws SyscallError  ESRCH quotas are off; ENOSYS the kernel or the filesystem has none; EPERM
 */
export function requireProjectQuota(fd: number): void {
  quotactlFd(fd, 'Q_GETINFO', 0, Buffer.alloc(24));
}

/** What a project has, and may have: undefined is as much as it likes. */
export interface ProjectQuota {
  readonly usedBytes: number;
  readonly files: number;
  readonly limitBytes: number | undefined;
}

/** @throws SyscallError  ESRCH quotas are off; ENOENT nobody has or had anything (XFS); EPERM */
export function projectQuota(fd: number, project: number): ProjectQuota {
  const block = Buffer.alloc(DQBLK_BYTES);
  quotactlFd(fd, 'Q_GETQUOTA', project, block);
  const limit = Number(block.readBigUInt64LE(B_HARD));
  return {
    usedBytes: Number(block.readBigUInt64LE(CURSPACE)),
    files: Number(block.readBigUInt64LE(CURINODES)),
    limitBytes: limit === 0 ? undefined : limit * LIMIT_UNIT,
  };
}

/** Sets hard and soft limits to the same, in whole KiB. 0 is no limit. @throws SyscallError  ESRCH; EPERM */
export function setProjectQuota(fd: number, project: number, limits: { bytes: number; files: number }): void {
  const block = Buffer.alloc(DQBLK_BYTES);
  const units = BigInt(Math.ceil(limits.bytes / LIMIT_UNIT));
  for (const offset of [B_HARD, B_SOFT]) block.writeBigUInt64LE(units, offset);
  for (const offset of [I_HARD, I_SOFT]) block.writeBigUInt64LE(BigInt(limits.files), offset);
  block.writeUInt32LE(QIF_BLIMITS | QIF_ILIMITS, VALID);
  quotactlFd(fd, 'Q_SETQUOTA', project, block);
}

/** `struct fsxattr` (ioctl_xfs_fsgetxattr(2)): the xflags first, the project third. */
const FSXATTR_BYTES = 28;
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
const PROJECT = 12;

/** The project of a file or directory; 0 is none. @throws SyscallError  ENOTTY, EOPNOTSUPP the filesystem has no projects */
export function projectOf(fd: number): number {
  const attributes = Buffer.alloc(FSXATTR_BYTES);
  ioctl(fd, FS_IOC_FSGETXATTR, attributes);
  return attributes.readUInt32LE(PROJECT);
}

/** Puts a directory into a project, and what is made in it from now on. @throws SyscallError  EOPNOTSUPP; EPERM */
export function setProject(fd: number, project: number): void {
  const attributes = Buffer.alloc(FSXATTR_BYTES);
  ioctl(fd, FS_IOC_FSGETXATTR, attributes);
  attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
  attributes.writeUInt32LE(project, PROJECT);
  ioctl(fd, FS_IOC_FSSETXATTR, attributes);
}
