import { closeSync, readSync } from 'node:fs';
import { posixSpawn } from '../process/spawn.js';
import { pipe } from '../syscalls/files.js';
import { P_PID, WAIT, waitid } from '../syscalls/processes.js';
import type { CallTable } from './call-table.js';
import { Program, type SlotValues } from './program.js';
import { REPORT_DESCRIPTOR } from './record.js';
import { decodeReport, type Failure } from './report.js';
import { imageMode, sealImage } from './sealed-image.js';

/** How a table ended when it was run for itself. */
export interface TableRun {
  readonly exitCode: number;
  /** What was written to descriptor 1. */
  readonly output: string;
  readonly failure: Failure | undefined;
}

/**
 * Runs a table in a process of its own until its end: for tests of steps. Descriptor 0 and 2 are inherited, 1 is
 * collected, 3 is free.
 */
export function runTable(table: CallTable, values: SlotValues = {}, directory = '/tmp'): TableRun {
  const image = sealImage(new Program(table).fill(values), imageMode(), directory);
  const output = pipe();
  const report = pipe();
  const pid = posixSpawn({
    path: '/proc/self/fd/5',
    argv: ['caisson'],
    fileActions: [
      { dup2: [output.writeEnd, 100] },
      { dup2: [report.writeEnd, 101] },
      { dup2: [image, 102] },
      { dup2: [100, 1] },
      { dup2: [101, REPORT_DESCRIPTOR] },
      { dup2: [102, 5] },
      { closeFrom: 6 },
    ],
  });
  for (const fd of [image, output.writeEnd, report.writeEnd]) closeSync(fd);
  const written = readAll(output.readEnd).toString();
  const bytes = readAll(report.readEnd);
  const end = waitid(P_PID, pid, WAIT.WEXITED);
  return {
    exitCode: end?.status ?? -1,
    output: written,
    failure: bytes.length > 0 ? decodeReport(table, bytes, values) : undefined,
  };
}

function readAll(fd: number): Buffer {
  const parts: Buffer[] = [];
  const buffer = Buffer.alloc(4096);
  for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer))
    parts.push(Buffer.from(buffer.subarray(0, length)));
  closeSync(fd);
  return Buffer.concat(parts);
}
