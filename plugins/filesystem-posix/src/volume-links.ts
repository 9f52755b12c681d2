import { readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import {
  type Container,
  giveBackPersistentVolumes,
  type HostEnvironment,
  holdSandbox,
  type Logger,
  nameInSandbox,
  type PersistentVolume,
  persistentVolumePath,
  takePersistentVolume,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';

type Host = Pick<HostEnvironment, 'workDir'>;

/** Puts a link to the volume into the sandbox. One that is there already, as after a restart, will do. */
export function linkVolume({ workDir }: Host, container: Container, volume: PersistentVolume): void {
  const { id } = container;
  const name = nameInSandbox(id, volume);
  // A link can't make anything read-only, and a container that relies on it must not find out later.
  if (volume.volume.mode === 'RO') throw errors.VOLUME_READ_ONLY(id, volume.persistence.id);
  const { path, giveBack } = takePersistentVolume(workDir, container, volume, { reachable: true });
  try {
    inSandbox(workDir, container, (directory) => {
      try {
        symlinkSync(path, `${directory}/${name}`);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        if (linkAt(`${directory}/${name}`) !== path)
          throw errors.VOLUME_PLACE_TAKEN(id, volume.persistence.id, name);
      }
    });
  } catch (error) {
    giveBack();
    throw error;
  }
}

/** Removes the link; what the container has put in its place is the container's. */
export function unlinkVolume(
  { workDir }: Host,
  container: Container,
  volume: PersistentVolume,
  log: Logger,
): void {
  const name = nameInSandbox(container.id, volume);
  inSandbox(workDir, container, (directory) => {
    if (!isUnlinked(`${directory}/${name}`, persistentVolumePath(workDir, volume)))
      log.warn({ container: container.id, name }, 'the container has removed the link to its volume');
  });
  giveBackPersistentVolumes(workDir, container.id, [volume]);
}

/** False if there is something else, or nothing. */
function isUnlinked(place: string, target: string): boolean {
  if (linkAt(place) !== target) return false;
  try {
    unlinkSync(place);
    return true;
  } catch (error) {
    // Exchanged just now: with a directory, or away.
    if (['EISDIR', 'EPERM', 'ENOENT'].includes(codeOf(error) ?? '')) return false;
    throw error;
  }
}

/** The container may exchange the way to its sandbox, or what is in it, at any moment: by descriptor (threat model F1). */
function inSandbox(workDir: string, container: Container, action: (directory: string) => void): void {
  const sandbox = holdSandbox(workDir, container);
  try {
    action(sandbox.path);
  } finally {
    sandbox.close();
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** Where a link leads; undefined if there is none. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
