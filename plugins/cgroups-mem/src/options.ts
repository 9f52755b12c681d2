import { cgroupOptions, z } from '@caisson/plugin-sdk';

export const MemoryOptions = z.strictObject({
  limitSwap: z
    .boolean()
    .default(false)
    .meta({ flag: 'cgroups_limit_swap' })
    .describe(
      'Whether the limit holds for memory and swap together. Version 1 limits the sum of both (memory.memsw); version 2, which ' +
        'has no limit of the sum, gives the container no swap. (Mesos: --cgroups_limit_swap)',
    ),
  pressureCounters: z
    .boolean()
    .default(true)
    .describe(
      'Whether the statistics count how often the kernel told of memory pressure in the container: low, medium, critical. They ' +
        'start at 0 with the agent and cost three descriptors for each container. Version 1 only.',
    ),
  ...cgroupOptions(),
});
export type MemoryOptions = ReturnType<typeof MemoryOptions.parse>;
