import { RLIMIT_NAMES, RlimitSchema, z } from '@caisson/plugin-sdk';
import { exceeds, softAboveHard } from './limit-values.js';

const limitName = z.enum(RLIMIT_NAMES);
const limitValue = z.union([z.number().int().nonnegative(), z.literal('unlimited')]);

const softWithinHard = RlimitSchema.refine(
  (limit) => !softAboveHard(limit),
  'the soft limit is above the hard one',
);

export const RlimitsOptions = z
  .strictObject({
    defaults: z
      .partialRecord(limitName, softWithinHard)
      .default({})
      .describe(
        'Limits of containers that ask for none of that name, such as { NOFILE: { soft: 1024, hard: 4096 } }. Names as in ' +
          'getrlimit(2) without RLIMIT_; units as there: bytes, seconds, or a count; `unlimited` is no limit. Default: none, ' +
          'then a container has the limits of the agent (and CORE 0).',
      ),
    maximum: z
      .partialRecord(limitName, limitValue)
      .default({})
      .describe(
        'The highest hard limit that a container may ask for; above it the launch is refused. A container that asks for nothing ' +
          'gets no more either. Default: none.',
      ),
  })
  .superRefine(({ defaults, maximum }, context) => {
    for (const [name, limit] of Object.entries(defaults)) {
      const most = maximum[name as keyof typeof maximum];
      if (limit !== undefined && most !== undefined && exceeds(limit.hard, most))
        context.addIssue({
          code: 'custom',
          path: ['defaults', name, 'hard'],
          message: `must not be above maximum.${name}, which is ${most}`,
        });
    }
  });
export type RlimitsOptions = ReturnType<typeof RlimitsOptions.parse>;
