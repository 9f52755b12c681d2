import { rmSync } from 'node:fs';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import type { Place } from './place.js';
import { removeSandbox } from './sandbox.js';

/** Deletes what a container has on disk. The record last: as long as it is there, the rest is found. Idempotent. */
export async function removeFiles(place: Place, keepSandbox = false): Promise<void> {
  await removeSandbox(place, keepSandbox);
  failpoint('remove.sandbox');
  rmSync(place.runtimeDirectory, { recursive: true, force: true });
}
