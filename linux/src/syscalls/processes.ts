import { isErrno, SyscallError } from '../errors.js';
import { checked, lastErrno, libc, systemCall } from '../libc.js';

const pidfdOpenNative = systemCall('pidfd_open', ['int', 'uint']);
const pidfdSendSignalNative = systemCall('pidfd_send_signal', ['int', 'int', 'void*', 'uint']);
const pidfdGetfdNative = systemCall('pidfd_getfd', ['int', 'int', 'uint']);
const waitidNative = libc('waitid', 'int', ['int', 'uint', 'void*', 'int']);
const prlimitNative = systemCall('prlimit64', ['int', 'int', 'void*', 'void*']);
const prctlNative = libc('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
const nameToHandleAtNative = libc('name_to_handle_at', 'int', [
  'int',
  'const char*',
  'void*',
  'void*',
  'int',
]);
const setaffinityNative = libc('sched_setaffinity', 'int', ['int', 'size_t', 'void*']);
const getaffinityNative = libc('sched_getaffinity', 'int', ['int', 'size_t', 'void*']);
const getcpuNative = libc('sched_getcpu', 'int', []);
const ioctlNative = libc('ioctl', 'int', ['int', 'ulong', 'void*']);

/** pidfd_open(2). @throws SyscallError  ESRCH the process has ended and was reaped */
export function pidfdOpen(pid: number): number {
  return checked(pidfdOpenNative(pid, 0), 'pidfd_open', { pid });
}

/** pidfd_send_signal(2). False if the process has ended. @throws SyscallError  EPERM; EINVAL */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  if (Number(pidfdSendSignalNative(pidfd, signal, null, 0)) === 0) return true;
  const error = new SyscallError('pidfd_send_signal', lastErrno(), { pidfd, signal });
  if (isErrno(error, 'ESRCH')) return false;
  throw error;
}

/** pidfd_getfd(2): a copy of another process's descriptor, close-on-exec. @throws SyscallError  EBADF; ESRCH; EPERM */
export function pidfdGetfd(pidfd: number, fd: number): number {
  return checked(pidfdGetfdNative(pidfd, fd, 0), 'pidfd_getfd', { pidfd, fd });
}

export const P_ALL = 0;
export const P_PID = 1;
export const P_PIDFD = 3;
export const WAIT = { WNOHANG: 1, WEXITED: 4, WNOWAIT: 0x01000000 } as const;

/** What waitid(2) tells: `code` is CLD_EXITED (1), CLD_KILLED (2) or CLD_DUMPED (3). */
export interface ChildEnd {
  readonly pid: number;
  readonly code: number;
  /** Exit code or signal. */
  readonly status: number;
}

const siginfo = Buffer.alloc(128);

/**
 * waitid(2). Undefined with WNOHANG if nothing has ended.
 * @throws SyscallError  ECHILD no such child
 */
export function waitid(idType: number, id: number, options: number): ChildEnd | undefined {
  siginfo.fill(0);
  checked(waitidNative(idType, id, siginfo, options), 'waitid', { idtype: idType, id, options });
  const pid = siginfo.readInt32LE(16);
  return pid === 0 ? undefined : { pid, code: siginfo.readInt32LE(8), status: siginfo.readInt32LE(24) };
}

/** Numbers of the limits (getrlimit(2)); the same on x86-64 and arm64. */
export const RLIMITS = {
  CPU: 0,
  FSIZE: 1,
  DATA: 2,
  STACK: 3,
  CORE: 4,
  RSS: 5,
  NPROC: 6,
  NOFILE: 7,
  MEMLOCK: 8,
  AS: 9,
  LOCKS: 10,
  SIGPENDING: 11,
  MSGQUEUE: 12,
  NICE: 13,
  RTPRIO: 14,
  RTTIME: 15,
} as const;

export const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/** `struct rlimit64`: soft, hard. */
export function rlimitBuffer(soft: bigint, hard: bigint): Buffer {
  const buffer = Buffer.alloc(16);
  buffer.writeBigUInt64LE(soft, 0);
  buffer.writeBigUInt64LE(hard, 8);
  return buffer;
}

/** prlimit(2): sets the limit if one is given and returns the former one. @throws SyscallError  EPERM; EINVAL; ESRCH */
export function prlimit(
  pid: number,
  resource: number,
  limit?: { soft: bigint; hard: bigint },
): { soft: bigint; hard: bigint } {
  const before = Buffer.alloc(16);
  const wanted = limit ? rlimitBuffer(limit.soft, limit.hard) : null;
  checked(prlimitNative(pid, resource, wanted, before), 'prlimit64', { pid, resource });
  return { soft: before.readBigUInt64LE(0), hard: before.readBigUInt64LE(8) };
}

/** prctl(2) on the calling thread. @throws SyscallError  EINVAL; EPERM */
export function prctl(option: number, ...args: number[]): number {
  const [a = 0, b = 0, c = 0, d = 0] = args;
  return checked(prctlNative(option, a, b, c, d), 'prctl', { option, a });
}

const PIDFD_GET_INFO = 0xc040ff0b;
const PIDFD_INFO_PID = 1n;
const PIDFD_INFO_EXIT = 1n << 3n;

/**
 * The raw wait status of a process that need not be our child, once it has ended (ioctl PIDFD_GET_INFO, since
 * Linux 6.15). Undefined if it still runs, or if the kernel can't tell.
 */
export function exitStatusOf(pidfd: number): number | undefined {
  const info = Buffer.alloc(64);
  info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0);
  if (Number(ioctlNative(pidfd, PIDFD_GET_INFO, info)) < 0) return undefined;
  return (info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n ? undefined : info.readInt32LE(60);
}

const handle = Buffer.alloc(8 + 128);
const mountId = Buffer.alloc(4);

/** The parent of a process that has not been reaped (PIDFD_GET_INFO, since Linux 6.13). Undefined if the kernel can't tell. */
export function parentOf(pidfd: number): number | undefined {
  const info = Buffer.alloc(64);
  info.writeBigUInt64LE(PIDFD_INFO_PID, 0);
  return Number(ioctlNative(pidfd, PIDFD_GET_INFO, info)) < 0 ? undefined : info.readUInt32LE(24);
}

/** The file handle of a descriptor, in hexadecimal; undefined where the filesystem has none (pidfs: before 6.14). */
export function fileHandle(fd: number): string | undefined {
  handle.writeUInt32LE(handle.length - 8, 0);
  if (Number(nameToHandleAtNative(fd, '', handle, mountId, 0x1000)) < 0) return undefined;
  return `${handle.readInt32LE(4)}:${handle.toString('hex', 8, 8 + handle.readUInt32LE(0))}`;
}

const CPU_MASK_BYTES = 128; // 1024 cpus, as glibc's cpu_set_t

/** sched_getaffinity(2) of a process, by default of the calling thread, as its bit mask. @throws SyscallError  ESRCH */
export function cpuAffinity(pid = 0): Buffer {
  const mask = Buffer.alloc(CPU_MASK_BYTES);
  checked(getaffinityNative(pid, mask.length, mask), 'sched_getaffinity', { pid });
  return mask;
}

/** sched_setaffinity(2) of a process, by default of the calling thread. @throws SyscallError  EINVAL no allowed cpu in the mask; ESRCH */
export function setCpuAffinity(mask: Buffer, pid = 0): void {
  const result = setaffinityNative(pid, mask.length, mask);
  checked(result, 'sched_setaffinity', { pid, mask: mask.toString('hex', 0, 8) });
}

/** The cpu that the calling thread runs on (sched_getcpu(3)). */
export const currentCpu = (): number => checked(getcpuNative(), 'sched_getcpu');
