import { z } from '@caisson/plugin-sdk';

export const PosixMemOptions = z.strictObject({
  measure: z
    .enum(['pss', 'rss'])
    .default('pss')
    .describe(
      'What mem_rss_bytes adds up. `pss`: each page once, in equal shares for the processes that have it mapped. `rss`: a page counts ' +
        'for every process that has it mapped, as with Mesos: cheaper, and more than there is. Default pss; where a system or a process ' +
        "doesn't tell it (macOS, another user's process), its rss counts.",
    ),
});
export type PosixMemOptions = ReturnType<typeof PosixMemOptions.parse>;
