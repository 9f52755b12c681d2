/** Resources of the operator API as what the core knows: amounts of cpus, mem, disk, gpus and pids, and persistent volumes. */
import { type PersistentVolume, type Resources, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { DiskInfoSchema, toWireVolume, volumeOf } from './volumes.js';

const NAMES = ['cpus', 'mem', 'disk', 'gpus', 'pids'] as const;
type Name = (typeof NAMES)[number];

const amount = z.number().nonnegative();

export const ResourceSchema = z.object({
  name: z.string().min(1),
  type: z.enum(['SCALAR', 'RANGES', 'SET']),
  scalar: z.object({ value: amount }).optional(),
  role: z.string().optional(),
  reservations: z.array(z.object({ role: z.string().optional() })).optional(),
  disk: DiskInfoSchema.optional(),
  revocable: z.unknown().optional(),
  shared: z.unknown().optional(),
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
  if (!disk?.persistence && (role !== '*' || (reservations?.length ?? 0) > 0))
    return 'reserved resources are not for a container of its own, save volumes';
  if (disk && name !== 'disk') return 'only a disk has a disk';
  if (revocable !== undefined) return 'revocable resources are not for a container of its own';
  if (['gpus', 'pids'].includes(name) && !Number.isInteger(scalar.value)) return 'a whole number is expected';
  return undefined;
}

/** Three decimals, as Mesos counts; the same resource twice adds up. @throws UNSUPPORTED_FIELD */
export function resourcesOf(list: readonly WireResource[]): Resources {
  const sum: Partial<Record<Name, number>> = {};
  const volumes: PersistentVolume[] = [];
  for (const each of list) {
    const problem = problemOf(each);
    if (problem) throw apiErrors.UNSUPPORTED_FIELD(`resources: ${JSON.stringify(each.name)}`, problem);
    const name = each.name as Name;
    if (each.disk) volumes.push(volumeOf(each, each.disk));
    else sum[name] = rounded((sum[name] ?? 0) + each.scalar!.value);
  }
  return { ...sum, ...(volumes.length > 0 && { volumes }) };
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

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
export const toWireResources = ({ volumes = [], ...amounts }: Resources): object[] => [
  ...NAMES.flatMap((name) => {
    const value = amounts[name];
    return value === undefined ? [] : { name, type: 'SCALAR', scalar: { value } };
  }),
  ...volumes.map(toWireVolume),
];
