import { type Dirent, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
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
  const entries = entriesOf(directory);
  const others = entries.filter(({ name }) => !isSetAside(name) && !isRecord(name));
  for (const entry of [...others, ...entries.filter(({ name }) => isRecord(name))]) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) rmSync(path, { recursive: true, force: true });
    else unlinkSync(path);
  }
  if (!entries.some(({ name }) => isSetAside(name))) removeDirectory(directory);
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
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
