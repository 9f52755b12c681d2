import { closeSync, openSync, readSync } from 'node:fs';
import { ENDED, STATUS_BYTES } from './steps/supervise.js';

/** How a container ended, as its supervisor saw it. */
export interface RecordedEnd {
  /** The raw status of wait(2). */
  readonly status: number;
  /** False: it ended before the command was executed. */
  readonly executed: boolean;
  /** False: nobody wrote it down, the kernel said so. */
  readonly supervised: boolean;
}

/** What the supervisor wrote; undefined if it died before it could. */
export function readStatusFile(path: string): RecordedEnd | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const content = Buffer.alloc(STATUS_BYTES);
  try {
    if (readSync(fd, content) !== STATUS_BYTES) return undefined;
  } finally {
    closeSync(fd);
  }
  const how = content.readUInt32LE(4);
  // Zero as the agent has made it: the supervisor has not written it yet.
  if (how !== ENDED.executed && how !== ENDED.beforeExec) return undefined;
  return { status: content.readInt32LE(0), executed: how === ENDED.executed, supervised: true };
}
