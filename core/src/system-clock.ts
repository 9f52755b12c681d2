import type { Clock } from '@caisson/plugin-sdk';

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
