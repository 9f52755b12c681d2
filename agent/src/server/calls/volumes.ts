/** Persistent volumes of the operator API: a resource `disk` with `disk.persistence` and `disk.volume`. */
import { type PersistentVolume, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import type { WireResource } from './resources.js';

const RootSchema = z.object({ root: z.string() });

export const DiskInfoSchema = z.object({
  persistence: z.object({ id: z.string(), principal: z.string().optional() }).optional(),
  volume: z.object({ container_path: z.string(), mode: z.enum(['RW', 'RO']) }).optional(),
  source: z
    .object({
      type: z.enum(['PATH', 'MOUNT', 'BLOCK', 'RAW']),
      path: RootSchema.optional(),
      mount: RootSchema.optional(),
    })
    .optional(),
});
type DiskInfo = z.infer<typeof DiskInfoSchema>;

const unsupported = (problem: string) => apiErrors.UNSUPPORTED_FIELD('resources: "disk"', problem);

/** @throws UNSUPPORTED_FIELD; what its names and paths may be the core knows */
export function volumeOf(
  { scalar, role, reservations, shared }: WireResource,
  { persistence, volume, source }: DiskInfo,
): PersistentVolume {
  if (!persistence || !volume) throw unsupported('a volume has disk.persistence and disk.volume');
  const owner = reservations?.at(-1)?.role ?? role;
  return {
    disk: scalar?.value ?? 0,
    persistence,
    volume: { containerPath: volume.container_path, mode: volume.mode },
    ...(source && { source: sourceOf(source) }),
    ...(owner !== undefined && { role: owner }),
    ...(shared !== undefined && { shared: true }),
  };
}

function sourceOf({ type, path, mount }: NonNullable<DiskInfo['source']>): PersistentVolume['source'] {
  if (type !== 'PATH' && type !== 'MOUNT') throw unsupported(`a disk of type ${type}`);
  const { root } = (type === 'PATH' ? path : mount) ?? {};
  if (root === undefined) throw unsupported(`disk.source has no ${type.toLowerCase()}.root`);
  return { type, root };
}

/** As statistics name a disk, too. */
export const toWireSource = ({ type, root }: NonNullable<PersistentVolume['source']>) => ({
  type,
  [type.toLowerCase()]: { root },
});

export const toWireVolume = ({
  disk,
  persistence,
  volume: { containerPath, mode },
  source,
  role,
  shared,
}: PersistentVolume): object => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: disk },
  ...(role !== undefined && { reservations: [{ type: 'DYNAMIC', role }] }),
  disk: {
    persistence,
    volume: { container_path: containerPath, mode },
    ...(source && { source: toWireSource(source) }),
  },
  ...(shared && { shared: {} }),
});
