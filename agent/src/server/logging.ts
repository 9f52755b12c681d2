/** The agent's log: lines of JSON, in which what a container controls is escaped (threat model K4). */
import type { Logger } from '@caisson/plugin-sdk';
import { type DestinationStream, destination, pino, stdTimeFunctions } from 'pino';

/** From quiet to talkative: the numbers of the operator API. 0 is what operators run. */
const LEVELS = ['info', 'debug', 'trace'] as const;

/** The level of the log, which a caller may raise for a while. */
export class Levels {
  #revert: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: { level: string },
    private readonly usual: string = log.level,
  ) {}

  get number(): number {
    return Math.max(LEVELS.indexOf(this.log.level as (typeof LEVELS)[number]), 0);
  }

  /** Goes back after the time. */
  set(number: number, durationMs: number): void {
    clearTimeout(this.#revert);
    this.log.level = LEVELS[Math.min(number, LEVELS.length - 1)]!;
    this.#revert = setTimeout(() => this.reset(), durationMs).unref();
  }

  reset(): void {
    clearTimeout(this.#revert);
    this.log.level = this.usual;
  }
}

/** Written at once: what was logged before a SIGKILL is there. */
export function createLog(
  level: string,
  stream: DestinationStream = destination({ fd: 2, sync: true }),
): { log: Logger; levels: Levels } {
  const log = pino({ level, base: undefined, timestamp: stdTimeFunctions.isoTime }, stream);
  return { log, levels: new Levels(log) };
}
