import { closeSync, readSync } from 'node:fs';
import { isErrno } from '../errors.js';
import { Reaper, reapChild } from '../process/reaper.js';
import { type FileAction, posixSpawn } from '../process/spawn.js';
import { pipe } from '../syscalls/files.js';
import { O } from '../syscalls/flags.js';
import { pidfdOpen, pidfdSendSignal } from '../syscalls/processes.js';
import type { CallTable } from './call-table.js';
import { Program } from './program.js';
import { RECORD_BYTES, REPORT_DESCRIPTOR } from './record.js';
import { decodeReport, type Failure } from './report.js';
import { sealExecutable } from './sealed-image.js';

const IMAGE = 5;
/** In the helper, the number of the first descriptor that it is given; the others follow. */
export const FIRST_GIVEN = 6;
const SIGKILL = 9;

export interface HelperOptions {
  /** Of the caller, which goes on owning them. */
  readonly descriptors: readonly number[];
  /** For the image, where the kernel refuses executable memfds. */
  readonly directory: string;
  /** Then it is killed: a path in a container may lead to a filesystem that never answers. */
  readonly timeoutMs: number;
}

/**
 * Runs a table to its end in a process of its own, which may enter what this one must not: it has no memory of ours, and no
 * descriptors but those given (threat model N3, N4). The event loop goes on meanwhile.
 *
 * @returns the call that failed; undefined if none did
 * @throws an error of the code ETIMEDOUT
 */
export async function runHelper(
  table: CallTable,
  { descriptors, directory, timeoutMs }: HelperOptions,
): Promise<Failure | undefined> {
  const report = pipe(O.O_NONBLOCK);
  const image = sealExecutable(new Program(table).fill({}), directory);
  try {
    const fileActions = inPlace([report.writeEnd, image, ...descriptors]);
    const pid = posixSpawn({ path: `/proc/self/fd/${IMAGE}`, argv: ['caisson'], fileActions });
    await ended(pid, timeoutMs);
    const bytes = readReport(report.readEnd);
    return bytes.length > 0 ? decodeReport(table, bytes) : undefined;
  } finally {
    for (const fd of [report.readEnd, report.writeEnd, image]) closeSync(fd);
  }
}

/** One after another from the report's number on, by way of numbers that nobody has: a source may lie where another shall go. */
function inPlace(sources: readonly number[]): FileAction[] {
  const free = 1 + Math.max(REPORT_DESCRIPTOR + sources.length, ...sources);
  return [
    ...sources.map((from, index): FileAction => ({ dup2: [from, free + index] })),
    ...sources.map((_, index): FileAction => ({ dup2: [free + index, REPORT_DESCRIPTOR + index] })),
    { closeFrom: REPORT_DESCRIPTOR + sources.length },
  ];
}

/** Resolves once it is reaped. */
async function ended(pid: number, timeoutMs: number): Promise<void> {
  const pidfd = pidfdOpen(pid);
  const reaper = new Reaper();
  const watched = new Promise<void>((resolve) => reaper.watch(pidfd, resolve));
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    pidfdSendSignal(pidfd, SIGKILL);
  }, timeoutMs);
  try {
    await watched;
    reapChild(pid);
  } finally {
    clearTimeout(timer);
    reaper.close();
    closeSync(pidfd);
  }
  if (timedOut)
    throw Object.assign(new Error(`a helper did not end within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
}

function readReport(fd: number): Buffer {
  const buffer = Buffer.alloc(RECORD_BYTES);
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return buffer.subarray(0, 0);
    throw error;
  }
}
