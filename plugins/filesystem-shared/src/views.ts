import { closeSync, realpathSync, type Stats, statSync } from 'node:fs';
import { isBelow } from '@caisson/linux/proc';
import { makeDirectoriesBeneath, openDirectory } from '@caisson/linux/syscalls';
import {
  type Container,
  type HostEnvironment,
  messageOf,
  placeInSandbox,
  type Volume,
  type VolumeMode,
  type VolumePropagation,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/** A directory, or a file, that a container sees in place of one of the host. */
export interface View {
  /** On the host, without links. */
  readonly target: string;
  readonly source: string;
  /** The way on from `source`, where that is a sandbox. */
  readonly below?: string | undefined;
  readonly mode: VolumeMode;
  readonly propagation?: VolumePropagation | undefined;
}

const depth = ({ target }: View): number => target.split('/').length;

/** Outer ones first, or they would hide those within. */
export const outerFirst = (views: readonly View[]): View[] =>
  [...views].sort((one, other) => depth(one) - depth(other));

/**
 * What a volume shows. A directory in a sandbox is made where it is missing.
 *
 * @throws VOLUME_TARGET_INVALID, VOLUME_HIDES_SANDBOX, VOLUME_SOURCE_INVALID
 */
export function viewOf(
  host: HostEnvironment,
  container: Container,
  { containerPath, mode, source }: Volume,
): View {
  const { target, stat } = targetOf(container, containerPath);
  const refused = (what: string, why: string) => errors.VOLUME_SOURCE_INVALID(container.id, what, why);
  switch (source.type) {
    case 'HOST_PATH':
      return {
        target,
        mode,
        source: hostSource(container, source.path),
        propagation: source.mountPropagation,
      };
    case 'SANDBOX_PATH': {
      const owner = source.of === 'SELF' ? container : container.parent;
      if (!owner) throw refused(source.path, 'is in the sandbox of a parent: it has none');
      const place = placeInSandbox(host, owner, source.path);
      makeLike(container.id, place, stat);
      return { target, mode, source: place.base, below: place.below };
    }
    default:
      throw refused(source.type, 'is of a kind that filesystem/shared does not know');
  }
}

/** The directory of the host that is made private: links lead where the container's own look-up would be led. */
function targetOf({ id, sandbox }: Container, containerPath: string): { target: string; stat: Stats } {
  const refused = (why: string) => errors.VOLUME_TARGET_INVALID(id, containerPath, why);
  if (!containerPath.startsWith('/')) throw refused('it must be an absolute path');
  let target: string;
  try {
    target = realpathSync.native(containerPath);
  } catch (error) {
    throw refused(`there is none on the host (${(error as NodeJS.ErrnoException).code})`);
  }
  if (target === '/') throw refused('it is everything');
  // By component: /tmp and /tmpfoo have nothing to do with each other.
  if (isBelow(sandbox, target) || isBelow(target, sandbox))
    throw errors.VOLUME_HIDES_SANDBOX(id, containerPath, sandbox);
  return { target, stat: statSync(target) };
}

function hostSource({ id }: Container, path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    const why = `is not on the host (${(error as NodeJS.ErrnoException).code})`;
    throw errors.VOLUME_SOURCE_INVALID(id, path, why);
  }
}

/** With the mode and the owner of what it stands for: a private /tmp has its 1777. */
function makeLike(id: string, { base, below }: { base: string; below: string }, like: Stats): void {
  if (!like.isDirectory())
    throw errors.VOLUME_SOURCE_INVALID(id, below, 'is a directory, and stands for a file');
  const { uid, gid } = like;
  const mode = like.mode & 0o7777;
  try {
    const parent = openDirectory(base);
    try {
      closeSync(makeDirectoriesBeneath(parent, below, { mode, uid, gid }, { mode: 0o755, uid, gid }));
    } finally {
      closeSync(parent);
    }
  } catch (error) {
    throw errors.VOLUME_SOURCE_INVALID(id, below, `cannot be made: ${messageOf(error)}`);
  }
}
