/**
 * Exit statuses of `caisson`, the same as those of env(1), nohup(1) and docker: a script can tell its command's failure
 * from ours.
 *
 *     0..124   the command's own
 *     125      Caisson failed, or its input was wrong; the command did not run
 *     126      the command was found and cannot be executed
 *     127      the command was not found
 *     128+n    signal n ended the command
 */
import { constants } from 'node:os';
import { isCaissonError, type Termination } from '@caisson/plugin-sdk';

export const FAILED = 125;

/** Errors that say more than that something failed. */
const BY_CODE: Readonly<Record<string, number>> = { COMMAND_NOT_EXECUTABLE: 126, COMMAND_NOT_FOUND: 127 };

export const statusOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Of a container that ran: what wait(2) says of its first process, in a shell's terms. */
export function statusOfTermination({ status }: Termination): number {
  if (status === undefined) return FAILED; // nobody knows how it ended
  const signal = status & 0x7f;
  return signal ? 128 + signal : (status >> 8) & 0xff;
}

export function statusOfError(error: unknown): number {
  if (!isCaissonError(error)) return FAILED;
  if (error.code === 'INTERRUPTED') return statusOfSignal(error.details.signal as NodeJS.Signals);
  return BY_CODE[error.code] ?? FAILED;
}
