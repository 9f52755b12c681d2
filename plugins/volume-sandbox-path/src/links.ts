import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Container,
  type HostEnvironment,
  holdBeneath,
  holdSandbox,
  messageOf,
  type VolumeOf,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import type { SourcePlace } from './source-place.js';

const MODE = 0o755;
const JUST_MADE = 0o700;

/** A link in the sandbox to the source, which is made where it is missing. @throws VOLUME_PLACE_TAKEN, VOLUME_NOT_MADE */
export function linkInSandbox(
  { workDir }: HostEnvironment,
  container: Container,
  { containerPath, source }: VolumeOf<'SANDBOX_PATH'>,
  place: SourcePlace,
): void {
  const name = join(containerPath).replace(/\/$/, '');
  if (name.includes('/')) throw errors.VOLUME_NEEDS_MOUNTS(container.id, source.path, containerPath);
  try {
    makeDirectories(place);
  } catch (error) {
    throw errors.VOLUME_NOT_MADE(container.id, source.path, messageOf(error));
  }
  const sandbox = holdSandbox(workDir, container);
  try {
    symlinkSync(join(place.base, place.below), `${sandbox.path}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw errors.VOLUME_PLACE_TAKEN(container.id, containerPath);
    throw error;
  } finally {
    sandbox.close();
  }
}

/** mkdir -p, one by one in a directory that is held: no link on the way is followed. */
function makeDirectories({ base, below, owner }: SourcePlace): void {
  const parts = below.split('/').filter(Boolean);
  for (const index of parts.keys()) {
    const way = parts.slice(0, index + 1);
    if (isMade(base, way)) giveAway(base, way, owner);
  }
  holdBeneath(base, parts).close();
}

function isMade(base: string, way: readonly string[]): boolean {
  const parent = holdBeneath(base, way.slice(0, -1));
  try {
    mkdirSync(`${parent.path}/${way.at(-1)}`, { mode: JUST_MADE });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    parent.close();
  }
}

/** A container may have put another directory in its place, which must not get another owner (threat model F7). */
function giveAway(base: string, way: readonly string[], owner: SourcePlace['owner']): void {
  const made = holdBeneath(base, way);
  try {
    if (made.stat.uid !== process.geteuid?.() || (made.stat.mode & 0o7777) !== JUST_MADE)
      throw new Error(`another directory was put in the place of ${way.at(-1)}`);
    chmodSync(made.path, MODE);
    if (owner && process.geteuid?.() === 0) chownSync(made.path, owner.uid, owner.gid);
  } finally {
    made.close();
  }
}
