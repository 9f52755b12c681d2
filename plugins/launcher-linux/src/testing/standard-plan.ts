import { type FilesystemMount, LaunchPlan, type LaunchPlanData } from '@caisson/plugin-sdk';

const KERNEL = ['nosuid', 'noexec', 'nodev'] as const;

const MOUNTS: readonly FilesystemMount[] = [
  { type: 'proc', target: '/proc', flags: KERNEL },
  { type: 'sysfs', target: '/sys', flags: ['ro', ...KERNEL] },
  { type: 'tmpfs', target: '/dev', flags: ['nosuid', 'noexec', 'strictatime'], options: { mode: '755' } },
  {
    type: 'devpts',
    target: '/dev/pts',
    flags: ['nosuid', 'noexec'],
    options: { newinstance: true, ptmxmode: '0666', mode: '0620', gid: '5' },
    createTarget: 'directory',
  },
];

const device = (name: string, major: number, minor: number) =>
  ({ kind: 'mknod', path: `/dev/${name}`, mode: 0o666, type: 'character', major, minor }) as const;

/** What a test wants different; `argv` as a string is a shell script. */
export type PlanEdit = Partial<LaunchPlanData>;

/** A container with mount and pid namespace, root filesystem, /proc, /sys, /dev, /proc/sys read-only, /proc/cpuinfo masked. */
export function standardPlan(
  rootfs: string,
  command: string | readonly string[],
  edit: PlanEdit = {},
): LaunchPlanData {
  const argv = typeof command === 'string' ? ['sh', '-c', command] : [...command];
  const standard = {
    argv,
    rootfs,
    environment: { PATH: '/bin' },
    workingDirectory: '/',
    namespaces: { create: ['mount', 'pid'], enter: [] },
    mounts: [...MOUNTS],
    fileOperations: [
      device('null', 1, 3),
      device('zero', 1, 5),
      device('tty', 5, 0),
      { kind: 'symlink', path: '/dev/ptmx', to: 'pts/ptmx' },
    ],
    maskedPaths: ['/proc/cpuinfo', '/sys/firmware', '/proc/no-such-path'],
    readOnlyPaths: ['/proc/sys', '/proc/no-such-path'],
  } satisfies Partial<LaunchPlanData> as PlanEdit & { argv: string[] };
  return new LaunchPlan({ ...standard, ...edit }).data;
}

/** In the namespaces and the tree of the agent, but for what `edit` says. */
export function hostPlan(command: string | readonly string[], edit: PlanEdit = {}): LaunchPlanData {
  const argv = typeof command === 'string' ? ['sh', '-c', command] : [...command];
  return new LaunchPlan({ argv, ...edit }).data;
}
