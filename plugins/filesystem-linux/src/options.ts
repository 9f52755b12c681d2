import { posix } from 'node:path';
import { z } from '@caisson/plugin-sdk';

/** What is mounted anew in every container: the sandbox there would hide it, or be hidden. */
const OURS = ['/proc', '/sys', '/dev'];

const isOurs = (path: string): boolean => OURS.some((ours) => path === ours || path.startsWith(`${ours}/`));

const mountPoint = z
  .string()
  .refine((path) => path.startsWith('/') && path !== '/', 'must be an absolute path below "/"')
  .refine(
    (path) => posix.normalize(path) === path && !path.endsWith('/'),
    'must hold no "..", ".", "//" or final "/"',
  )
  .refine((path) => !path.includes('\0'), 'must not contain a NUL character')
  .refine((path) => !isOurs(path), 'must not lie in /proc, /sys or /dev');

export const FilesystemLinuxOptions = z.strictObject({
  sandboxDirectory: mountPoint
    .default('/mnt/mesos/sandbox')
    .describe(
      'Where a container with a root filesystem finds its sandbox, and the value of its MESOS_SANDBOX. Created in the root ' +
        'filesystem if it is missing; a read-only one must have it. Without a root filesystem the sandbox is seen at its place ' +
        'on the host. (Mesos: --sandbox_directory)',
    )
    .meta({ flag: 'sandbox_directory' }),
  reachableRootfs: z
    .enum(['warn', 'refuse'])
    .default('warn')
    .describe(
      'What to do with a root filesystem that other users of the host can reach, because every directory above it may be ' +
        'searched by all. They can then execute a set-user-ID program that a container has put there. `warn` logs it once per ' +
        'root filesystem; `refuse` fails the launch.',
    ),
});
export type FilesystemLinuxOptions = ReturnType<typeof FilesystemLinuxOptions.parse>;
