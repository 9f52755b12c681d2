/** Resources of the operator API as what the core knows: amounts of cpus, mem, disk, gpus and pids. */
import { type Resources, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';

const NAMES = ['cpus', 'mem', 'disk', 'gpus', 'pids'] as const;
type Name = (typeof NAMES)[number];

const amount = z.number().nonnegative();

export const ResourceSchema = z.object({
  name: z.string().min(1),
  type: z.enum(['SCALAR', 'RANGES', 'SET']),
  scalar: z.object({ value: amount }).optional(),
  role: z.string().optional(),
  reservations: z.array(z.unknown()).optional(),
  disk: z.unknown().optional(),
  revocable: z.unknown().optional(),
});
export type WireResource = z.infer<typeof ResourceSchema>;

export const LimitsSchema = z.partialRecord(
  z.enum(NAMES),
  z.object({ value: z.union([amount, z.literal('Infinity')]) }),
);

function problemOf({ name, type, scalar, role = '*', reservations, disk, revocable }: WireResource) {
  if (!NAMES.includes(name as Name) || type !== 'SCALAR')
    return 'only amounts of cpus, mem, disk, gpus and pids are known';
  if (!scalar) return 'a SCALAR has a scalar.value';
  if (role !== '*' || (reservations?.length ?? 0) > 0)
    return 'reserved resources are not for a container of its own';
  if (disk !== undefined) return 'persistent volumes are not supported';
  if (revocable !== undefined) return 'revocable resources are not for a container of its own';
  if (['gpus', 'pids'].includes(name) && !Number.isInteger(scalar.value)) return 'a whole number is expected';
  return undefined;
}

/** Three decimals, as Mesos counts; the same resource twice adds up. @throws UNSUPPORTED_FIELD */
export function resourcesOf(list: readonly WireResource[]): Resources {
  const sum: Partial<Record<Name, number>> = {};
  for (const each of list) {
    const problem = problemOf(each);
    if (problem) throw apiErrors.UNSUPPORTED_FIELD(`resources: ${JSON.stringify(each.name)}`, problem);
    const name = each.name as Name;
    sum[name] = Math.round(((sum[name] ?? 0) + each.scalar!.value) * 1000) / 1000;
  }
  return sum;
}

/** @throws UNSUPPORTED_FIELD for one that is infinite: there is none by leaving it out */
export function limitsOf(limits: z.infer<typeof LimitsSchema>): Resources {
  return Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => {
      if (limit === undefined || limit.value === 'Infinity')
        throw apiErrors.UNSUPPORTED_FIELD(
          `limits: ${name}`,
          'no limit above the resources is not supported yet',
        );
      return [name, limit.value];
    }),
  );
}

/** The other way, for answers. */
export const toWireResources = (resources: Resources): object[] =>
  NAMES.flatMap((name) => {
    const value = resources[name];
    return value === undefined ? [] : { name, type: 'SCALAR', scalar: { value } };
  });
