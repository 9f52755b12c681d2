/**
 * A container's directory below workDir. Other users must not reach what a container left there (threat model F8), so a
 * guard stands in between that they can't search:
 *
 *     <workDir>/containers/<id>/          ours, group of the container's user, 0710; without a user 0700
 *     <workDir>/containers/<id>/owner     a link to the runtime directory of the container that has the id
 *     <workDir>/containers/<id>/sandbox/  the container's user, 0750
 *
 * The guard is also the claim on the id among all that share workDir: made by mkdir(2), one of many wins.
 */
import { chmodSync, chownSync, readlinkSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ResolvedUser } from '@caisson/plugin-sdk';
import { createNestedSandbox, removeNestedSandbox } from './nested-sandbox.js';
import { makeDirectory, type Place } from './place.js';
import { removeTree } from './remove-tree.js';

const SANDBOX_MODE = 0o750;
const OWNER = 'owner';

/** @throws SANDBOX_EXISTS; SANDBOX_REFUSED for a nested one whose parent put something in the way */
export function createSandbox(place: Place, user: ResolvedUser | undefined): void {
  if (place.isNested) {
    createNestedSandbox(place, user);
    return;
  }
  createGuard(place, user);
  makeDirectory(place.id, place.sandbox, SANDBOX_MODE);
  if (user) chownSync(place.sandbox, user.uid, user.gid);
}

function createGuard({ id, guard, runtimeDirectory }: Place, user: ResolvedUser | undefined): void {
  try {
    makeDirectory(id, guard, 0o700);
  } catch (error) {
    if (!removeAnonymous(guard)) throw error;
    makeDirectory(id, guard, 0o700);
  }
  symlinkSync(runtimeDirectory, join(guard, OWNER));
  const uid = process.getuid?.() ?? -1;
  if (user && user.uid !== uid) {
    chownSync(guard, uid, user.gid);
    chmodSync(guard, 0o710);
  }
}

/**
 * Removes a guard that nobody has put his name to: its maker was killed in between. Anything else is not empty. A maker
 * that is alive, just there, sees its next call fail and fails its launch.
 */
function removeAnonymous(guard: string): boolean {
  try {
    rmdirSync(guard);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes a container's sandbox, and the guard with it, if they are this container's. Idempotent. `keep` leaves the
 * sandbox, in a guard without an owner.
 */
export async function removeSandbox(place: Place, keep = false): Promise<void> {
  const { sandbox, guard, runtimeDirectory, isNested } = place;
  if (isNested) {
    if (!keep) await removeNestedSandbox(place);
    return;
  }
  const owner = ownerOf(guard);
  if (owner === undefined) removeAnonymous(guard);
  if (owner !== runtimeDirectory) return;
  if (!keep) await removeTree(dirname(sandbox), 'sandbox');
  // Last: a removal that was interrupted is recognised as ours again.
  unlinkSync(join(guard, OWNER));
  if (!keep) rmdirSync(guard);
}

function ownerOf(guard: string): string | undefined {
  try {
    return readlinkSync(join(guard, OWNER));
  } catch {
    return undefined;
  }
}
