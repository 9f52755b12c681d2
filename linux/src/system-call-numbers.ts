/**
 * Numbers of the system calls, for the calls that both architectures have: the `*at` forms where the older ones are
 * missing on arm64. Sources: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
 */
export const SYSTEM_CALLS = {
  //                  x64  arm64
  read: [0, 63],
  write: [1, 64],
  close: [3, 57],
  ioctl: [16, 29],
  pwrite64: [18, 68],
  mmap: [9, 222],
  dup3: [292, 24],
  pipe2: [293, 59],
  recvfrom: [45, 207],
  recvmsg: [47, 212],
  getpid: [39, 172],
  getppid: [110, 173],
  clone: [56, 220],
  execve: [59, 221],
  exit: [60, 93],
  exit_group: [231, 94],
  wait4: [61, 260],
  waitid: [247, 95],
  kill: [62, 129],
  fcntl: [72, 25],
  ftruncate: [77, 46],
  getcwd: [79, 17],
  chdir: [80, 49],
  fchdir: [81, 50],
  fchmod: [91, 52],
  umask: [95, 166],
  setsid: [112, 157],
  setgroups: [116, 159],
  setresuid: [117, 147],
  setresgid: [119, 149],
  capset: [126, 91],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  pivot_root: [155, 41],
  prctl: [157, 167],
  chroot: [161, 51],
  mount: [165, 40],
  umount2: [166, 39],
  sched_setaffinity: [203, 122],
  keyctl: [250, 219],
  ppoll: [271, 73],
  unshare: [272, 97],
  openat: [257, 56],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  fchownat: [260, 54],
  unlinkat: [263, 35],
  symlinkat: [266, 36],
  readlinkat: [267, 78],
  fchmodat: [268, 53],
  renameat2: [316, 276],
  prlimit64: [302, 261],
  name_to_handle_at: [303, 264],
  setns: [308, 268],
  memfd_create: [319, 279],
  statx: [332, 291],
  pidfd_send_signal: [424, 424],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  pidfd_open: [434, 434],
  close_range: [436, 436],
  openat2: [437, 437],
  pidfd_getfd: [438, 438],
  mount_setattr: [442, 442],
  quotactl_fd: [443, 443],
} as const satisfies Record<string, readonly [x64: number, arm64: number]>;

export type SystemCallName = keyof typeof SYSTEM_CALLS;
export type Architecture = 'x64' | 'arm64';

/** The architecture of this process; throws on one that Caisson has no runner for. */
export function architecture(): Architecture {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch;
  throw new Error(`the exec stage has runners for x64 and arm64, not for ${process.arch}`);
}

/** The number of a system call. */
export const systemCallNumber = (name: SystemCallName, arch: Architecture = architecture()): number =>
  SYSTEM_CALLS[name][arch === 'x64' ? 0 : 1];
