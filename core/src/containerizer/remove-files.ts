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
  for (const name of names)
    if (!isSetAside(name) && !isRecord(name)) rmSync(join(directory, name), { recursive: true, force: true });
  for (const name of names) if (isRecord(name)) unlinkSync(join(directory, name));
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

function removeDirectory(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
