import { messageOf } from './errors.js';
import { type PersistentVolume, persistentVolumePath } from './persistent-volume.js';
import type { Logger } from './services.js';

type Volumes = readonly PersistentVolume[];

export interface VolumeChange {
  readonly workDir: string;
  readonly before: Volumes | undefined;
  readonly after: Volumes | undefined;
  readonly log: Logger;
  add(volume: PersistentVolume): Promise<void> | void;
  remove(volume: PersistentVolume): Promise<void> | void;
}

/**
 * Removes what a container has no more, then adds what it gets; one that only changes its size stays where it is. If one fails, what was
 * done is undone, in reverse: the container has what it had.
 */
export async function changePersistentVolumes({
  workDir,
  before = [],
  after = [],
  log,
  add,
  remove,
}: VolumeChange): Promise<void> {
  const keyOf = (each: PersistentVolume) =>
    JSON.stringify([persistentVolumePath(workDir, each), each.volume.containerPath, each.volume.mode]);
  const only = (these: Volumes, those: Volumes) => {
    const keys = new Set(those.map(keyOf));
    return these.filter((each) => !keys.has(keyOf(each)));
  };
  const done: (() => Promise<void> | void)[] = [];
  try {
    for (const each of only(before, after)) {
      await remove(each);
      done.push(() => add(each));
    }
    for (const each of only(after, before)) {
      await add(each);
      done.push(() => remove(each));
    }
  } catch (error) {
    for (const undo of done.reverse()) await tryTo(undo, log);
    throw error;
  }
}

async function tryTo(undo: () => Promise<void> | void, log: Logger): Promise<void> {
  try {
    await undo();
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'a change of persistent volumes that failed is not all undone');
  }
}
