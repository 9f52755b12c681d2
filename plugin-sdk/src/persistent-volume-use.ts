import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Container } from './container.js';
import type { ContainerId } from './container-id.js';
import { placeOf } from './container-path.js';
import { defineErrors, messageOf } from './errors.js';
import { type PersistentVolume, persistentVolumePath } from './persistent-volume.js';

export const persistentVolumeErrors = defineErrors({
  VOLUME_UNAVAILABLE: {
    kind: 'failed',
    message: (id: string, volume: string, path: string, why: string) =>
      `container ${id}: the persistent volume ${JSON.stringify(volume)} (${path}): ${why}`,
    hint: () => 'see that its disk is mounted, and that nothing else has its name',
  },
  VOLUME_IN_USE: {
    kind: 'conflict',
    message: (id: string, volume: string, other: string) =>
      `container ${id}: the persistent volume ${JSON.stringify(volume)} is in use by container ${other}`,
    hint: () => 'mark it as `shared` in both, or end the other container first',
  },
  VOLUME_PLACE_INVALID: {
    kind: 'invalid',
    message: (id: string, volume: string, place: string, why: string) =>
      `container ${id}: the persistent volume ${JSON.stringify(volume)} cannot be at ${JSON.stringify(place)}: ${why}`,
    hint: () => 'give it one name, which it then has in the sandbox',
  },
});

/** What Caisson itself has in a sandbox. */
const TAKEN = ['stdout', 'stderr', 'containers'];

/**
 * The one name in the sandbox that a persistent volume has; the reference leaves out any other place with a warning, and the
 * container then writes to the sandbox what it wanted to keep.
 *
 * @throws VOLUME_PLACE_INVALID
 */
export function nameInSandbox(id: ContainerId, { persistence, volume }: PersistentVolume): string {
  const name = placeOf(volume.containerPath);
  const refused = (why: string) =>
    persistentVolumeErrors.VOLUME_PLACE_INVALID(id, persistence.id, volume.containerPath, why);
  if (name.includes('/')) throw refused('only a name in the sandbox is possible');
  if (TAKEN.includes(name)) throw refused('the sandbox has something of this name');
  return name;
}

/**
 * Who uses which volume, and whether as a shared one. Of this process, not of an isolator: a reload makes new isolators, and
 * containers of the former still use their volumes.
 */
const users = new Map<string, Map<ContainerId, boolean>>();

interface Use {
  readonly path: string;
  /** What undoes it, if the volume was not this container's before. */
  giveBack(): void;
}

export interface TakeOptions {
  /** A container's own user gets to it by its path on the host: without a mount. */
  readonly reachable: boolean;
}

/**
 * Makes a volume ready for a container: its directory is there, belongs to the container's user if that is not root, and nobody else
 * uses it unless both share it. A shared one keeps its owner while somebody uses it.
 *
 * @throws VOLUME_UNAVAILABLE, VOLUME_IN_USE
 */
export function takePersistentVolume(
  workDir: string,
  container: Pick<Container, 'id' | 'user'>,
  volume: PersistentVolume,
  { reachable }: TakeOptions,
): Use {
  const { id } = container;
  const { shared = false, persistence } = volume;
  const path = persistentVolumePath(workDir, volume);
  const others = [...(users.get(path) ?? [])].filter(([user]) => user !== id);
  const jealous = others.find(([, isShared]) => !isShared || !shared);
  if (jealous) throw persistentVolumeErrors.VOLUME_IN_USE(id, persistence.id, jealous[0]);
  try {
    makeReady(path, volume, container, { reachable, keepOwner: others.length > 0 });
  } catch (error) {
    throw persistentVolumeErrors.VOLUME_UNAVAILABLE(id, persistence.id, path, messageOf(error));
  }
  const isNew = !users.get(path)?.has(id);
  noteUse(path, id, shared);
  return { path, giveBack: () => (isNew ? forgetUse(path, id) : undefined) };
}

function noteUse(path: string, id: ContainerId, shared: boolean): void {
  const known = users.get(path);
  if (known) known.set(id, shared);
  else users.set(path, new Map([[id, shared]]));
}

function forgetUse(path: string, id: ContainerId): void {
  users.get(path)?.delete(id);
  if (users.get(path)?.size === 0) users.delete(path);
}

/** After a restart: it uses them already. */
export function noteVolumesOf(workDir: string, { id, resources }: Pick<Container, 'id' | 'resources'>): void {
  for (const volume of resources.volumes ?? [])
    noteUse(persistentVolumePath(workDir, volume), id, volume.shared ?? false);
}

/** The container uses them no more; without `volumes` none at all. */
export function giveBackPersistentVolumes(
  workDir: string,
  id: ContainerId,
  volumes?: readonly PersistentVolume[],
): void {
  const paths = volumes ? volumes.map((volume) => persistentVolumePath(workDir, volume)) : [...users.keys()];
  for (const path of paths) forgetUse(path, id);
}

/** Other users of the host can't search it: what a container leaves there is nobody else's to execute (threat model F8). */
const CLOSED = 0o700;
/** For users who have to get to their volume by its path. */
const PASSABLE = 0o711;
const VOLUME_MODE = 0o755;

function makeReady(
  path: string,
  { source }: PersistentVolume,
  { user }: Pick<Container, 'user'>,
  { reachable, keepOwner }: TakeOptions & { readonly keepOwner: boolean },
): void {
  if (source?.type !== 'MOUNT') makeVolume(path, reachable && user !== undefined && user.uid !== 0);
  if (!statSync(path).isDirectory()) throw new Error('it is not a directory');
  if (user && user.uid !== 0 && process.getuid?.() === 0 && !keepOwner) chownSync(path, user.uid, user.gid);
}

/** `<root>/volumes/roles/<role>/<id>`; what exists keeps its mode, but for a guard that must be passed. */
function makeVolume(path: string, passable: boolean): void {
  const role = dirname(path);
  const guard = dirname(dirname(role));
  makeDirectory(guard, CLOSED);
  if (passable && (statSync(guard).mode & 0o777) === CLOSED) chmodSync(guard, PASSABLE);
  for (const above of [dirname(role), role]) makeDirectory(above, PASSABLE);
  makeDirectory(path, VOLUME_MODE);
}

function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode); // whatever the umask
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
