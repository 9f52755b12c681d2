import { durationOption, z } from '@caisson/plugin-sdk';

/** Below that, du would do nothing but run. */
const SHORTEST_INTERVAL_MS = 10;

const RANGE = /^\[?(\d{1,10})-(\d{1,10})\]?$/;

/** `5000-10000`, or as Mesos has it `[5000-10000]`: both ends included. 0 is the project of files that have none. */
const idRange = z.string().transform((text, context) => {
  const [, first = 0, last = 0] = (RANGE.exec(text) ?? []).map(Number);
  if (first > 0 && last >= first && last < 2 ** 32) return { first, last };
  context.addIssue({ code: 'custom', message: 'must be a range such as 5000-10000' });
  return z.NEVER;
});

export const PosixDiskOptions = z.strictObject({
  enforceQuota: z
    .boolean()
    .default(false)
    .describe(
      'Hold containers to their `resources.disk`. With the meter du, one that has more is stopped; with a meter of the filesystem, the ' +
        'kernel refuses the write (EDQUOT). Default false: usage is only reported. (Mesos: --enforce_container_disk_quota)',
    )
    .meta({ flag: 'enforce_container_disk_quota' }),
  watchInterval: durationOption()
    .refine((ms) => ms >= SHORTEST_INTERVAL_MS, `must be at least ${SHORTEST_INTERVAL_MS}ms`)
    .prefault('15secs')
    .describe(
      'Time between two measurements of a sandbox, from the end of one to the start of the next, and how old a figure of the ' +
        'filesystem may be. Default 15secs. (Mesos: --container_disk_watch_interval)',
    )
    .meta({ flag: 'container_disk_watch_interval' }),
  meter: z
    .enum(['du', 'auto', 'quota'])
    .default('du')
    .describe(
      'How usage is measured. `du` walks the sandbox, on any filesystem. `quota`: the filesystem of the work directory counts, and ' +
        'nothing is walked: btrfs with quotas enabled, XFS or ext4 mounted with prjquota; the agent does not start where it cannot. ' +
        '`auto`: quota where it is offered, else du. Default du.',
    ),
  parallelMeasurements: z
    .number()
    .int()
    .min(2)
    .max(64)
    .default(4)
    .describe(
      'How many du run at once; those that take more than 2secs have half of the places, so that they never hold up the quick ones. ' +
        'Default 4.',
    ),
  measurementTimeout: durationOption()
    .refine((ms) => ms >= 1000, 'must be at least 1secs')
    .prefault('5mins')
    .describe('How long one du may take; what it has counted until then is the usage. Default 5mins.'),
  gracePeriod: durationOption()
    .prefault('0ns')
    .describe(
      'How long a container may have more than its quota before it is stopped. Default 0ns: the first measurement counts.',
    ),
  warnAt: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe(
      'Part of the quota above which a warning is logged, once until it is below again. Default 0.9; 0 is never.',
    ),
  maxFiles: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe(
      'How many files and directories a container may have in its sandbox, if quotas are enforced. Default 0: as many as it likes.',
    ),
  projectIds: idRange
    .prefault('5000-10000')
    .describe(
      'Project ids for the quotas of XFS and ext4, both ends included: one for each container, free again when nothing of its sandbox ' +
        'is left. Default 5000-10000. (Mesos: --xfs_project_range)',
    )
    .meta({ flag: 'xfs_project_range' }),
});
export type PosixDiskOptions = ReturnType<typeof PosixDiskOptions.parse>;
