/**
 * A nested container's sandbox: `<parent sandbox>/containers/<name>`, in a tree that the parent writes (threat model
 * F8). Made and removed through descriptors; `containers` must be ours. Its path stays the parent's to change, so
 * launchers too go there by descriptor, following no link.
 */
import { chownSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { type HeldDirectory, holdBeneath, messageOf, type ResolvedUser } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';

import { makeDirectory, type Place } from './place.js';
import { removeTree } from './remove-tree.js';

const SANDBOX_MODE = 0o750;
const SEARCHABLE = 0o711;

export function createNestedSandbox(place: Place, user: ResolvedUser | undefined): void {
  makeContainersDirectory(place);
  const containers = hold(place, dirname(place.sandbox));
  try {
    if (!isOurs(containers)) throw refused(place, 'its parent made the directory `containers`');
    const sandbox = `${containers.path}/${basename(place.sandbox)}`;
    makeDirectory(place.id, sandbox, SANDBOX_MODE);
    if (user) chownSync(sandbox, user.uid, user.gid);
  } finally {
    containers.close();
  }
}

function makeContainersDirectory(place: Place): void {
  const parent = hold(place, dirname(dirname(place.sandbox)));
  try {
    makeDirectory(place.id, `${parent.path}/containers`, SEARCHABLE);
  } catch (error) {
    // What is there is looked at by descriptor.
    if ((error as { code?: unknown }).code !== 'SANDBOX_EXISTS') throw error;
  } finally {
    parent.close();
  }
}

const isOurs = ({ stat }: HeldDirectory): boolean =>
  stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0;

export async function removeNestedSandbox(place: Place): Promise<void> {
  let containers: HeldDirectory;
  try {
    containers = hold(place, dirname(place.sandbox));
  } catch {
    return; // gone with the parent's, or moved away by it: then it is removed with the parent's sandbox
  }
  try {
    // What the parent put there goes with the parent's sandbox.
    if (isOurs(containers)) await removeTree(containers.pathForOthers, basename(place.sandbox));
  } finally {
    containers.close();
  }
}

function hold(place: Place, directory: string): HeldDirectory {
  try {
    return holdBeneath(place.guard, relative(place.guard, directory).split('/'));
  } catch (error) {
    throw refused(place, messageOf(error));
  }
}

const refused = ({ id, sandbox }: Place, problem: string) => coreErrors.SANDBOX_REFUSED(id, sandbox, problem);
