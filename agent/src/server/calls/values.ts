/** Values that several calls have in common, as the operator API writes them. */
import { z } from '@caisson/plugin-sdk';

/** What a timer takes; longer ones are as good as for ever. */
const LONGEST_MS = 2 ** 31 - 1;

export const DurationInfo = z.object({ nanoseconds: z.number().int().nonnegative() });

export const milliseconds = ({ nanoseconds }: z.infer<typeof DurationInfo>): number =>
  Math.min(nanoseconds / 1e6, LONGEST_MS);

export const nanoseconds = (ms: number) => ({ nanoseconds: Math.round(ms * 1e6) });
