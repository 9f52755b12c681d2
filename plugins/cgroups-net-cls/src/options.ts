import { cgroupOptions, z } from '@caisson/plugin-sdk';
import { HIGHEST_HALF, parseHalf } from './handle.js';

const written = z.union([z.string(), z.number()]);
const EXPECTED = 'a handle is a number from 1 to 0xffff, such as 0x0010';

type Context = { addIssue(issue: { code: 'custom'; message: string }): void };

const refuse = (context: Context, message: string): never => {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
};

/** `0x0010`, `0x0010,0x0011`, 16, or a list of them. */
const primaries = z.union([written, z.array(written).min(1)]).transform((value, context): number[] => {
  const handles = listOf(value).map(parseHalf);
  if (handles.includes(undefined)) return refuse(context, EXPECTED);
  if (new Set(handles).size < handles.length) return refuse(context, 'a handle is named twice');
  return handles as number[];
});

/** `0x0001,0xffff` or [1, 65535]; both included. */
const range = z.union([z.string(), z.tuple([written, written])]).transform((value, context) => {
  const [lower, upper, ...more] = listOf(value).map(parseHalf);
  if (lower === undefined || upper === undefined || more.length > 0)
    return refuse(context, `write the lowest and the highest, such as 0x0001,0xffff: ${EXPECTED}`);
  if (lower > upper) return refuse(context, 'the lowest handle is above the highest');
  return { lower, upper };
});

const listOf = (value: string | number | readonly (string | number)[]): readonly (string | number)[] =>
  typeof value === 'string' ? value.split(',') : typeof value === 'number' ? [value] : value;

export const NetClsOptions = z
  .strictObject({
    primaryHandle: primaries
      .optional()
      .meta({ flag: 'cgroups_net_cls_primary_handle' })
      .describe(
        'The upper 16 bits of the network classes that containers get: 0xAAAA or decimal, not 0; several, separated by commas, ' +
          'are used one after another. Default: none, then classes are not managed: each container has a cgroup, and who wants ' +
          'writes its net_cls.classid. (Mesos: --cgroups_net_cls_primary_handle)',
      ),
    secondaryHandles: range
      .optional()
      .meta({ flag: 'cgroups_net_cls_secondary_handles' })
      .describe(
        'The lower 16 bits: the lowest and the highest that containers get, 0xAAAA,0xBBBB or decimal, both included. Default ' +
          '0x0001,0xffff. Needs primaryHandle. (Mesos: --cgroups_net_cls_secondary_handles)',
      ),
    ...cgroupOptions(),
  })
  .refine(
    ({ primaryHandle, secondaryHandles }) => primaryHandle || !secondaryHandles,
    'secondaryHandles needs primaryHandle: without it no handle is given to a container',
  );
export type NetClsOptions = ReturnType<typeof NetClsOptions.parse>;

export const WHOLE_RANGE = { lower: 1, upper: HIGHEST_HALF };
