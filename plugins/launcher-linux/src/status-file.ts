import { readFileSync } from 'node:fs';
import { STATUS_BYTES } from './steps/supervise.js';

/** The raw wait status that the supervisor wrote; undefined if it died before it could. */
export function readStatusFile(path: string): number | undefined {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return content.length === STATUS_BYTES ? content.readInt32LE(0) : undefined;
}
