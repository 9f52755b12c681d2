import { join, resolve } from 'node:path';
import { z } from 'zod';
import { placeOf } from './container-path.js';

/** One directory's name: it becomes a part of a path on the host. */
const volumeId = z
  .string()
  .regex(
    /^(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u,
    'the id of a volume is the name of a directory: no "/", no control character, not "." or ".."',
  );

/** As Mesos has roles: `a/b` is a role below `a`. */
const role = z
  .string()
  .regex(
    /^(?!-)(?!\.{1,2}$)[^\s\p{Cc}]{1,255}$/u,
    'a role has no white space, does not begin with "-", and is not "." or ".."',
  );

const directory = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes('\0'), 'must not contain a NUL character');

const containerPath = directory
  .refine((text) => !text.split('/').includes('..'), 'a path in a container has no ".."')
  .refine((text) => !['.', '/'].includes(placeOf(text)), 'names the sandbox itself, or everything');

/** Where the disk is: below a directory, or all of a filesystem that is mounted there. Absent: in the work directory. */
const DiskSourceSchema = z.strictObject({ type: z.enum(['PATH', 'MOUNT']), root: directory });

/**
 * A persistent volume: disk whose files outlive the container that it is given to. What Mesos says by a resource `disk` with
 * `disk.persistence` and `disk.volume`.
 */
export const PersistentVolumeSchema = z.strictObject({
  /** Its size in MiB, and quota. */
  disk: z.number().nonnegative(),
  persistence: z.strictObject({ id: volumeId, principal: z.string().min(1).max(255).optional() }),
  volume: z.strictObject({ containerPath, mode: z.enum(['RW', 'RO']) }),
  source: DiskSourceSchema.optional(),
  /** Whose it is. Default `*`: anybody's. */
  role: role.optional(),
  /** Other containers may have it at the same time. Default false. */
  shared: z.boolean().optional(),
});
export type PersistentVolume = z.infer<typeof PersistentVolumeSchema>;

/** Of one container: each at a place of its own. */
export const PersistentVolumesSchema = z
  .array(PersistentVolumeSchema)
  .max(1000)
  .refine(
    (volumes) => new Set(volumes.map(({ volume }) => placeOf(volume.containerPath))).size === volumes.length,
    'two volumes have the same containerPath',
  );

/**
 * Where a persistent volume is on the host. It is there before a container gets it, and stays.
 *
 *     <workDir or root>/volumes/roles/<role>/<id>      a role's "/" is a space there
 *     <root>                                           of a source of type MOUNT: all of it
 *
 * A root that is relative is below `workDir`.
 */
export function persistentVolumePath(
  workDir: string,
  { persistence, source, role: owner = '*' }: Pick<PersistentVolume, 'persistence' | 'source' | 'role'>,
): string {
  const root = resolve(workDir, source?.root ?? '.');
  if (source?.type === 'MOUNT') return root;
  return join(root, 'volumes', 'roles', owner.replaceAll('/', ' '), persistence.id);
}
