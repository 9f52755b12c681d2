import type { FileOperation } from '@caisson/plugin-sdk';

const character = (name: string, major: number, minor: number): FileOperation => ({
  kind: 'mknod',
  path: `/dev/${name}`,
  mode: 0o666,
  type: 'character',
  major,
  minor,
});

const link = (name: string, to: string): FileOperation => ({ kind: 'symlink', path: `/dev/${name}`, to });

/**
 * All of /dev: six devices that hold nothing of the host (numbers: Documentation/admin-guide/devices.txt), and links.
 *
 * The reference copies the nodes to the host's runtime directory and binds each into the container: staging that must be
 * undone, on a mount that must allow devices, and six more mounts. Made in our own tmpfs they need nothing outside.
 */
export const DEVICE_FILES: readonly FileOperation[] = [
  character('full', 1, 7),
  character('null', 1, 3),
  character('random', 1, 8),
  character('tty', 5, 0),
  character('urandom', 1, 9),
  character('zero', 1, 5),
  link('fd', '/proc/self/fd'),
  link('stdin', '/proc/self/fd/0'),
  link('stdout', '/proc/self/fd/1'),
  link('stderr', '/proc/self/fd/2'),
  link('ptmx', 'pts/ptmx'),
];
