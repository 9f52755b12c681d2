/**
 * btrfs counts what each subvolume refers to (qgroups), so a sandbox becomes a subvolume, and its quota is the limit of
 * its qgroup. The figures are those of the last commit: a fresh one costs a sync of the filesystem, one for all sandboxes.
 *
 * A subvolume can be made in a subvolume by whoever may write there, and has a count and no limit of its own: it is added
 * to the figure, and told apart, for the kernel doesn't refuse what is written there.
 *
 * Source  btrfs-quota(8), btrfs-subvolume(8)
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { isErrno } from '@caisson/linux';
import type { Container } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';
import type { Found } from '../measurement.js';
import { BtrfsFigures, type BtrfsFiguresSettings, quotaStatus, subvolumesWithin } from './btrfs-figures.js';
import {
  createSubvolume,
  destroyQgroup,
  limitSubvolume,
  ROOT_ITEM_KEY,
  ROOT_TREE,
  searchTree,
  subvolumeOf,
} from './btrfs-ioctls.js';
import type { Account, Limits, QuotaMeter } from './meter.js';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/** Why the filesystem of a directory doesn't count: quotas are off. Undefined if it does. */
export function btrfsProblem(fd: number, mountPoint: string): string | undefined {
  try {
    if (quotaStatus(fd) !== undefined) return undefined;
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  return `quotas are not enabled on ${mountPoint}: btrfs quota enable ${mountPoint}`;
}

export class BtrfsMeter implements QuotaMeter {
  readonly kind = 'btrfs';
  /** Subvolumes whose qgroup the kernel may leave behind (it removes it itself since Linux 6.11). */
  readonly #closed = new Set<number>();
  readonly #figures: BtrfsFigures;

  /** The descriptor is the meter's from now on. */
  constructor(private readonly settings: BtrfsFiguresSettings) {
    this.#figures = new BtrfsFigures(settings);
  }

  open({ id, sandbox }: Container): Account {
    const { mode, uid, gid } = statSync(sandbox);
    const directory = openSync(dirname(sandbox), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      removeEmpty(id, sandbox);
      this.#replace(directory, sandbox);
      chownSync(sandbox, uid, gid);
      chmodSync(sandbox, mode & 0o7777);
      return { kind: 'btrfs', subvolume: subvolumeAt(sandbox) };
    } finally {
      closeSync(directory);
    }
  }

  /** The directory comes back where there can't be a subvolume: it can be walked. */
  #replace(directory: number, sandbox: string): void {
    try {
      createSubvolume(directory, basename(sandbox));
    } catch (error) {
      mkdirSync(sandbox);
      throw error;
    }
  }

  /** btrfs has no limit of files: they are counted by nobody. */
  limit(account: Account, { bytes }: Limits): void {
    if (account.kind === 'btrfs') limitSubvolume(this.settings.fd, account.subvolume, bytes);
  }

  async read(account: Account, maxAgeMs: number): Promise<Found & { atMs: number }> {
    const subvolume = account.kind === 'btrfs' ? account.subvolume : 0;
    const known = await this.#figures.look(maxAgeMs);
    // It may be younger than what is known.
    const snapshot = known.used.has(subvolume) ? known : await this.#figures.lookAnew();
    const { atMs, used, problem } = snapshot;
    const own = used.get(subvolume);
    if (own === undefined)
      return { usedBytes: 0, atMs, problem: 'btrfs does not know its subvolume any more' };
    const inside = subvolumesWithin(snapshot, subvolume);
    const unboundBytes = inside.reduce((sum, each) => sum + (used.get(each) ?? 0), 0);
    return { usedBytes: own + unboundBytes, unboundBytes, atMs, problem };
  }

  close(account: Account): void {
    if (account.kind !== 'btrfs') return;
    try {
      limitSubvolume(this.settings.fd, account.subvolume, undefined);
      this.#closed.add(account.subvolume);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTCONN')) throw error;
    }
    this.#forgetGone();
  }

  end(): void {
    closeSync(this.settings.fd);
  }

  /** Once the subvolume is gone, with its sandbox. */
  #forgetGone(): void {
    const { fd } = this.settings;
    for (const subvolume of this.#closed) {
      if (isThere(fd, subvolume)) continue;
      try {
        destroyQgroup(fd, subvolume);
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'ENOTCONN', 'EBUSY')) throw error;
        if (isErrno(error, 'EBUSY')) continue;
      }
      this.#closed.delete(subvolume);
    }
  }
}

function removeEmpty(id: string, sandbox: string): void {
  try {
    rmdirSync(sandbox);
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw errors.QUOTA_SANDBOX_USED(id, sandbox);
    throw error;
  }
}

const isThere = (fd: number, subvolume: number): boolean =>
  searchTree(fd, { tree: ROOT_TREE, firstObject: BigInt(subvolume), type: ROOT_ITEM_KEY }).length > 0;

function subvolumeAt(path: string): number {
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return subvolumeOf(fd);
  } finally {
    closeSync(fd);
  }
}
