import { readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { isRecord } from '../checkpoints/record.js';
import { isSetAside } from '../checkpoints/state-file.js';
import type { Place } from './place.js';
import { removeSandbox } from './sandbox.js';

/** Deletes what a container has on disk. The record last: as long as it is there, the rest is found. Idempotent. */
export async function removeFiles(place: Place, keepSandbox = false): Promise<void> {
  await removeSandbox(place, keepSandbox);
  failpoint('remove.sandbox');
  removeState(place.runtimeDirectory);
}

/** What was set aside stays, for somebody to look at, and the directory with it. */
function removeState(directory: string): void {
  const names = namesIn(directory);
  const others = names.filter((name) => !isSetAside(name) && !isRecord(name));
  for (const name of [...others, ...names.filter(isRecord)]) removeEntry(join(directory, name));
  if (!names.some(isSetAside)) removeDirectory(directory);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Mostly a file: to look first takes longer. */
function removeEntry(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    // EPERM is what POSIX says of a directory, EISDIR what Linux does.
    if (!['EISDIR', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    rmSync(path, { recursive: true, force: true });
  }
}

function removeDirectory(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
