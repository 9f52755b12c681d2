import { constants } from 'node:os';
import type { Termination } from '@caisson/plugin-sdk';

const SIGNALS: Readonly<Record<string, number>> = constants.signals;

/** Two names of one number: the first is the usual one (signal(7)). */
const SYNONYMS = ['SIGIOT', 'SIGPOLL', 'SIGUNUSED'];

function signalName(signal: number): string {
  const name = Object.keys(SIGNALS).find((each) => SIGNALS[each] === signal && !SYNONYMS.includes(each));
  return name ?? (signal >= 34 && signal <= 64 ? `SIGRTMIN+${signal - 34}` : `SIG${signal}`);
}

/** WIFEXITED, WEXITSTATUS, WTERMSIG of wait(2). */
export function decodeWaitStatus(status: number): Pick<Termination, 'exitCode' | 'signal'> {
  const signal = status & 0x7f;
  return signal === 0 ? { exitCode: (status >> 8) & 0xff } : { signal: signalName(signal) };
}

/** The other way, for what Node says of a child. */
export const encodeWaitStatus = (code: number | null, signal: NodeJS.Signals | null): number =>
  signal === null ? ((code ?? 0) & 0xff) << 8 : (SIGNALS[signal] ?? 0);
