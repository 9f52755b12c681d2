import type { Clock } from '@caisson/plugin-sdk';
import {
  BTRFS_FIRST_FREE_OBJECTID,
  QGROUP_INFO_KEY,
  QGROUP_STATUS_KEY,
  QUOTA_TREE,
  ROOT_REF_KEY,
  ROOT_TREE,
  searchTree,
} from './btrfs-ioctls.js';

/** Of a qgroup's id: its level. Level 0 are the subvolumes. */
const LAST_SUBVOLUME = 2n ** 48n - 1n;
const STATUS_FLAG_INCONSISTENT = 4n;

/** What btrfs knew at one time of all its subvolumes. */
export interface BtrfsSnapshot {
  readonly atMs: number;
  /** Bytes that each subvolume refers to. */
  readonly used: ReadonlyMap<number, number>;
  /** The subvolumes in each. */
  readonly children: ReadonlyMap<number, readonly number[]>;
  readonly problem: string | undefined;
}

export interface BtrfsFiguresSettings {
  /** Of a directory on the filesystem. */
  readonly fd: number;
  /** Makes the filesystem commit. */
  readonly sync: () => Promise<void>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Default: the kernel's. */
  readonly search?: typeof searchTree;
}

/** Version, generation, flags, rescan; undefined if quotas are off. @throws SyscallError  ENOENT they were never on */
export const quotaStatus = (fd: number, search = searchTree): bigint | undefined =>
  search(fd, { tree: QUOTA_TREE, firstObject: 0n, type: QGROUP_STATUS_KEY })[0]?.data.readBigUInt64LE(16);

/** Subvolumes in a subvolume, and in those: as deep and as many as their maker liked. */
export function subvolumesWithin({ children }: BtrfsSnapshot, subvolume: number): number[] {
  const found: number[] = [];
  for (let level = children.get(subvolume) ?? []; level.length > 0; ) {
    for (const each of level) found.push(each);
    level = level.flatMap((each) => children.get(each) ?? []);
  }
  return found;
}

/** Looks at the trees that btrfs keeps: one look serves all sandboxes. */
export class BtrfsFigures {
  readonly #search: typeof searchTree;
  #snapshot: Promise<BtrfsSnapshot> | undefined;
  /** One that begins once the one under way has ended. */
  #next: Promise<BtrfsSnapshot> | undefined;
  #takenAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly settings: BtrfsFiguresSettings) {
    this.#search = settings.search ?? searchTree;
  }

  look(maxAgeMs: number): Promise<BtrfsSnapshot> {
    const age = this.settings.clock.monotonicMs() - this.#takenAtMs;
    return this.#snapshot && age < maxAgeMs ? this.#snapshot : this.lookAnew();
  }

  /** A look that begins after this call. */
  lookAnew(): Promise<BtrfsSnapshot> {
    this.#next ??= (this.#snapshot ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#take();
      });
    return this.#next;
  }

  #take(): Promise<BtrfsSnapshot> {
    const atMs = this.settings.clock.monotonicMs();
    const snapshot = this.#sync().then((unsynced) => ({ atMs, ...this.#readTrees(unsynced) }));
    this.#snapshot = snapshot;
    this.#takenAtMs = atMs;
    // A failure is told to those who wait for it, and not to the next.
    snapshot.catch(() => {
      if (this.#snapshot === snapshot) this.#snapshot = undefined;
    });
    return snapshot;
  }

  /** What is wrong if the figures are not those of now. */
  #sync(): Promise<string | undefined> {
    return this.settings.sync().then(
      () => undefined,
      (error: Error) => `as of the last commit of btrfs: ${error.message}`,
    );
  }

  #readTrees(unsynced: string | undefined): Omit<BtrfsSnapshot, 'atMs'> {
    const { fd } = this.settings;
    const infos = this.#search(fd, {
      tree: QUOTA_TREE,
      firstObject: 0n,
      type: QGROUP_INFO_KEY,
      firstOffset: BTRFS_FIRST_FREE_OBJECTID,
      lastOffset: LAST_SUBVOLUME,
    });
    const isInconsistent = ((quotaStatus(fd, this.#search) ?? 0n) & STATUS_FLAG_INCONSISTENT) !== 0n;
    return {
      // Generation, then the bytes it refers to.
      used: new Map(infos.map(({ offset, data }) => [Number(offset), Number(data.readBigUInt64LE(8))])),
      children: this.#readChildren(),
      problem: isInconsistent ? 'btrfs says that its figures are inconsistent: btrfs quota rescan' : unsynced,
    };
  }

  #readChildren(): Map<number, number[]> {
    const references = this.#search(this.settings.fd, {
      tree: ROOT_TREE,
      firstObject: BTRFS_FIRST_FREE_OBJECTID,
      lastObject: LAST_SUBVOLUME,
      type: ROOT_REF_KEY,
    });
    const children = new Map<number, number[]>();
    for (const { object, offset } of references) {
      const siblings = children.get(Number(object));
      if (siblings) siblings.push(Number(offset));
      else children.set(Number(object), [Number(offset)]);
    }
    return children;
  }
}
