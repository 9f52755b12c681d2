/** Where an errno misleads: what it means for this call, and what to do. Keys are `call errno` or `errno`. */
const ADVICE: Readonly<Record<string, string>> = {
  'execve ENOENT':
    'the command, the interpreter in its first line, or the ELF loader it names does not exist in the root filesystem',
  'execve ENOTDIR': 'a part of the path of the command is not a directory',
  'execve EACCES':
    'the command is not an executable regular file, lies on a noexec mount, or the user may not search a directory above it',
  'execve ENOEXEC': 'the command is for another architecture, or a script without a "#!" line',
  'execve ELOOP': 'too many symbolic links, or interpreters nested too deep',
  'execve E2BIG': 'arguments and environment are larger than the stack limit allows',
  'execve ETXTBSY': 'the command is open for writing somewhere',
  'execve EPERM':
    'the command has file capabilities or set-id bits that the reduced capabilities do not allow',
  'execve EAGAIN': 'the user is over its limit of processes (RLIMIT_NPROC)',
  'clone EPERM': 'creating namespaces needs CAP_SYS_ADMIN: run as root',
  'clone ENOSPC': 'namespaces are nested too deep, or over the limit in /proc/sys/user/max_*_namespaces',
  'clone EAGAIN': 'no free process: raise pids.max, RLIMIT_NPROC or kernel.pid_max',
  'clone ENOMEM': 'out of memory, or the pid namespace to join has lost its first process',
  'clone EINVAL': 'the kernel lacks one of the namespaces asked for',
  'pivot_root EINVAL': 'the new root must be a mount point, and no shared mount may be involved',
  'pivot_root EBUSY': 'the root filesystem is the root of the host already',
  'setgroups EPERM': 'groups cannot be set without CAP_SETGID',
  'open_tree EINVAL': 'the mount may not be cloned: it is unbindable, or the kernel is older than 5.2',
  'open_tree ENOENT': 'the source does not exist',
  'move_mount ENOENT': 'the target does not exist in the root filesystem',
  'move_mount EINVAL':
    'the target is not in this mount namespace, lies below a shared mount, or one of source and target is a directory and the other is not',
  'move_mount ELOOP': 'the mount would contain itself',
  'mount_setattr EPERM': 'the flag is locked by the user namespace that mounted it',
  'mount EPERM': 'mounting needs CAP_SYS_ADMIN: run as root',
  'mount EBUSY': 'the filesystem is in use, or mounted there already',
  'fsconfig EINVAL': 'the filesystem does not know this option',
  'fsopen ENODEV': 'the kernel does not have this filesystem',
  'fsopen EPERM': 'mounting needs CAP_SYS_ADMIN: run as root',
  'openat2 ELOOP': 'a symbolic link where none is allowed: the root filesystem or sandbox may be hostile',
  'openat2 EXDEV': 'the path leaves the directory it must stay below',
  'openat2 EAGAIN': 'the tree changed while it was walked; try again',
  'openat2 ENOENT': 'the path does not exist inside the root filesystem',
  'openat2 ENOTDIR': 'a part of the path is not a directory',
  'openat2 ENOSYS': 'the kernel is older than 5.6',
  'chdir ENOENT': 'the working directory does not exist in the container',
  'chdir EACCES': 'the user of the container may not enter the working directory',
  'chdir ENOTDIR': 'the working directory is not a directory',
  'keyctl EDQUOT': 'root has used up its quota of keys: see /proc/key-users, kernel.keys.root_maxkeys',
  'prlimit64 EPERM': 'raising a hard limit needs CAP_SYS_RESOURCE',
  'prlimit64 EINVAL': 'the soft limit is above the hard one',
  'capset EPERM': 'a capability is not in the permitted set of the agent',
  'setns EINVAL': 'the namespace cannot be joined from here, or its last process has ended',
  'memfd_create EPERM':
    'the kernel refuses executable memfds (vm.memfd_noexec): use a directory for the image',
  'pidfd_open ESRCH': 'the process has ended',
  'posix_spawn EAGAIN': 'no free process: raise pids.max, RLIMIT_NPROC or kernel.pid_max',
  'posix_spawn EACCES':
    'the image lies on a noexec mount, or the kernel refuses executable memfds (vm.memfd_noexec)',
  EMFILE: 'the process has too many open files: raise its limit (ulimit -n, LimitNOFILE=)',
  ENFILE: 'the host has too many open files: raise fs.file-max',
  ENOSPC: 'the filesystem is full, or a limit of the kernel is reached',
  EROFS: 'the filesystem is read-only',
  EDQUOT: 'the disk quota is used up',
};

/** Advice for a failed call, or undefined where the errno says it all. */
export const adviceFor = (syscall: string, code: string): string | undefined =>
  ADVICE[`${syscall} ${code}`] ?? ADVICE[code];
