import { chmodSync, mkdirSync } from 'node:fs';
import { type ContainerId, nameOf, rootOf } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';

/** Where a container's files are. */
export interface Place {
  readonly id: ContainerId;
  readonly sandbox: string;
  readonly runtimeDirectory: string;
  /** The guard of the outermost container. */
  readonly guard: string;
  readonly isNested: boolean;
}

export interface StateDirectories {
  readonly workDir: string;
  readonly runtimeDir: string;
}

/** Places follow from the id, and nested ones from the parent's (spec: containerizer, path forms). */
export function placeOf(id: ContainerId, { workDir, runtimeDir }: StateDirectories, parent?: Place): Place {
  return {
    id,
    sandbox: parent ? `${parent.sandbox}/containers/${nameOf(id)}` : `${workDir}/containers/${id}/sandbox`,
    runtimeDirectory: `${parent?.runtimeDirectory ?? runtimeDir}/containers/${nameOf(id)}`,
    guard: `${workDir}/containers/${rootOf(id)}`,
    isNested: parent !== undefined,
  };
}

/** Exactly this mode, whatever the umask. @throws SANDBOX_EXISTS */
export function makeDirectory(id: ContainerId, path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw coreErrors.SANDBOX_EXISTS(id, path);
    throw error;
  }
  if (mode & currentUmask()) chmodSync(path, mode);
}

let umask: number | undefined;

function currentUmask(): number {
  umask ??= process.umask();
  return umask;
}
