import { closeSync, writeSync } from 'node:fs';
import type { SlotValues } from '@caisson/linux/exec-stage';
import { cpuAffinity } from '@caisson/linux/syscalls';
import type { LaunchTable } from './launch-table.js';
import type { ReportMessage, ReportReader } from './report-reader.js';
import type { SharedProcessor } from './shared-processor.js';
import { GATE_BYTE } from './steps/wait-at-gate.js';

/** The gate of a process that waits there, and how to read what it says. */
export interface Gate {
  /** One byte opens it, closing it ends the process. */
  readonly writeEnd: number;
  readonly report: ReportReader;
  readonly table: LaunchTable;
  readonly values: SlotValues;
  readonly patienceMs: () => number;
  readonly processor?: SharedProcessor | undefined;
  readonly onExecuted: () => void;
  /** Lets it into the pid namespace of another container; gives what tells that it is no mightier there than its command. */
  readonly enter?: (() => Promise<() => void>) | undefined;
}

export function openGate(gate: Gate, pid: number): void {
  try {
    writeSync(gate.writeEnd, Buffer.of(isMoved(gate, pid) ? GATE_BYTE.keepAffinity : GATE_BYTE.open));
  } catch (error) {
    // The process has died at the gate: its report, or its end, says why.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}

/** An isolator has chosen processors for it, or a cpuset that it was put into has. */
function isMoved({ values }: Gate, pid: number): boolean {
  try {
    return !cpuAffinity(pid).equals(values.affinity as Buffer);
  } catch {
    return false; // it has ended: its report says why
  }
}

/** Whoever may trace a process that joins his pid namespace can keep its report open for ever: its end will do too. */
export function nextMessage(
  { report, patienceMs, processor }: Gate,
  ended: Promise<unknown>,
): ReportMessage | Promise<ReportMessage> {
  const next = () => report.next(patienceMs());
  const coming = processor ? processor.run(next) : next();
  if (!(coming instanceof Promise)) return coming;
  const end = ended.then(() => report.now() ?? ({ kind: 'end' } as const));
  return Promise.race([coming, end]);
}

/** One that was not opened ends its process. */
export function closeGate({ writeEnd, report }: Gate): void {
  closeSync(writeEnd);
  report.close();
}
