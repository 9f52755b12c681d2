import type { Clock } from '@caisson/plugin-sdk';

/** What performance.now() counts, without the modules that a first use of `performance` loads. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

export const systemClock: Clock = {
  monotonicMs,
  wallMs: () => Date.now(),
};
