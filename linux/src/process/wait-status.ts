import { constants } from 'node:os';

/** How a process ended, decoded from the raw status of wait(2). */
export interface ProcessEnd {
  readonly exitCode?: number;
  /** Such as SIGKILL. */
  readonly signal?: string;
  readonly coreDumped?: boolean;
}

const SIGNALS: Readonly<Record<string, number>> = constants.signals;

/** The name of a signal; real-time signals as SIGRTMIN+n. */
export function signalName(signal: number): string {
  for (const [name, number] of Object.entries(SIGNALS))
    if (number === signal && name !== 'SIGIOT' && name !== 'SIGPOLL') return name;
  return signal >= 34 && signal <= 64 ? `SIGRTMIN+${signal - 34}` : `SIG${signal}`;
}

/** The number of a signal given as `TERM`, `SIGTERM` or `15`; undefined if there is none. */
export function signalNumber(text: string): number | undefined {
  const number = /^\d+$/.test(text)
    ? Number(text)
    : (SIGNALS[text.toUpperCase()] ?? SIGNALS[`SIG${text.toUpperCase()}`]);
  return number !== undefined && number >= 1 && number <= 64 ? number : undefined;
}

/** WIFEXITED, WEXITSTATUS, WTERMSIG, WCOREDUMP of wait(2). */
export function decodeWaitStatus(status: number): ProcessEnd {
  const signal = status & 0x7f;
  if (signal === 0) return { exitCode: (status >> 8) & 0xff };
  return { signal: signalName(signal), coreDumped: (status & 0x80) !== 0 };
}
