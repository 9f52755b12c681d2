import { closeSync } from 'node:fs';
import { sealExecutable } from '@caisson/linux/exec-stage';
import { type FileAction, posixSpawn } from '@caisson/linux/process';
import { DESCRIPTOR, FIRST_EXTRA } from './launch-table.js';

/** Source descriptors, by the number that each shall have in the image. */
export type Placement = readonly { readonly from: number; readonly to: number }[];

/**
 * Starts the image as the supervisor, with exactly these descriptors. Nothing of the agent's own is left open: closing
 * is the child's last act before it resolves a path (threat model N3).
 *
 * @param directory  for the image where the kernel refuses executable memfds
 * @returns the supervisor's pid
 */
export function spawnImage(image: Buffer, placement: Placement, directory: string): number {
  const fd = sealExecutable(image, directory);
  try {
    const all = [...placement, { from: fd, to: DESCRIPTOR.image }];
    return posixSpawn({
      path: `/proc/self/fd/${DESCRIPTOR.image}`,
      argv: ['caisson'],
      fileActions: actions(all),
    });
  } finally {
    closeSync(fd);
  }
}

/** What posix_spawn does for a placement. */
export function actions(placement: Placement): FileAction[] {
  const highest = Math.max(FIRST_EXTRA - 1, ...placement.map(({ to }) => to));
  const closeRest: FileAction = { closeFrom: highest + 1 };
  // A source may lie where another one shall go: then all move out of the way first.
  const clash = placement.some(({ from, to }) => from <= highest && from !== to);
  if (!clash) return [...placement.map(({ from, to }): FileAction => ({ dup2: [from, to] })), closeRest];
  const free = 1 + Math.max(highest, ...placement.map(({ from }) => from));
  return [
    ...placement.map(({ from }, index): FileAction => ({ dup2: [from, free + index] })),
    ...placement.map(({ to }, index): FileAction => ({ dup2: [free + index, to] })),
    closeRest,
  ];
}
