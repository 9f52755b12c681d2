import { cgroupOptions, durationOption, z } from '@caisson/plugin-sdk';

export const PidsOptions = z.strictObject({
  defaultLimit: z
    .number()
    .int()
    .positive()
    .optional()
    .describe(
      'How many processes and threads a container may have at once whose resources and limits name no `pids`. Default: no limit.',
    ),
  whenReached: z
    .enum(['refuse', 'end'])
    .default('refuse')
    .describe(
      'What happens when a container has as many as it may. `refuse`: the kernel refuses each further fork (EAGAIN), the ' +
        'container goes on, and this is logged once and counted in the statistics. `end`: the container is ended, with a limitation.',
    ),
  watchInterval: durationOption()
    .prefault('1secs')
    .refine((ms) => ms >= 10, 'must be at least 10ms')
    .describe(
      'How often to look whether a fork was refused, in cgroup version 1. Version 2 tells it at once.',
    ),
  ...cgroupOptions(),
});
export type PidsOptions = ReturnType<typeof PidsOptions.parse>;
