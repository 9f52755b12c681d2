import { cgroupOptions, z } from '@caisson/plugin-sdk';

export const CpuOptions = z.strictObject({
  enableCfs: z
    .boolean()
    .default(false)
    .meta({ flag: 'cgroups_enable_cfs' })
    .describe(
      'Whether a container that has no limit of its own is limited to the cpus that it requests. Without it a container may use ' +
        'what others leave; one whose limits say cpus is limited in any case. (Mesos: --cgroups_enable_cfs)',
    ),
  countProcesses: z
    .boolean()
    .default(false)
    .meta({ flag: 'cgroups_cpu_enable_pids_and_tids_count' })
    .describe(
      'Whether the statistics say how many processes and threads the container has: every query then reads their lists. ' +
        '(Mesos: --cgroups_cpu_enable_pids_and_tids_count)',
    ),
  ...cgroupOptions(),
});
export type CpuOptions = ReturnType<typeof CpuOptions.parse>;
