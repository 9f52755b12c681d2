import type { FilesystemMount, MountFlag } from '@caisson/plugin-sdk';

const KERNEL: readonly MountFlag[] = ['nosuid', 'noexec', 'nodev'];

/** What the kernel gives to a container with a root filesystem, in the order of mounting. */
export const SYSTEM_MOUNTS: readonly FilesystemMount[] = [
  { type: 'proc', target: '/proc', flags: KERNEL, createTarget: 'directory' },
  { type: 'sysfs', target: '/sys', flags: ['ro', ...KERNEL], createTarget: 'directory' },
  // sysfs has no such directory where the kernel has no cgroups, and none can be made in it.
  { type: 'tmpfs', target: '/sys/fs/cgroup', flags: KERNEL, options: { mode: '755' }, optional: true },
  // Not nodev: the devices are made in it.
  {
    type: 'tmpfs',
    target: '/dev',
    flags: ['nosuid', 'noexec', 'strictatime'],
    options: { mode: '755' },
    createTarget: 'directory',
  },
  {
    type: 'devpts',
    target: '/dev/pts',
    flags: ['nosuid', 'noexec'],
    // gid 5 is `tty` on every distribution: grantpt(3) expects it.
    options: { newinstance: true, ptmxmode: '0666', mode: '0620', gid: '5' },
    createTarget: 'directory',
  },
];

/** Left to namespaces/ipc where that is enabled: POSIX shared memory belongs to the ipc namespace's owner. */
export const SHARED_MEMORY: FilesystemMount = {
  type: 'tmpfs',
  target: '/dev/shm',
  flags: ['nosuid', 'nodev', 'strictatime'],
  options: { mode: '1777' },
  createTarget: 'directory',
};
