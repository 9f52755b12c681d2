import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { placeOf } from './container-path.js';

const text = z
  .string()
  .min(1)
  .refine((s) => !s.includes('\0'), 'must not contain a NUL character');
const absolutePath = text.refine((s) => s.startsWith('/'), 'must be an absolute path');
// A container's path is resolved inside it, a source below what holds it: `..` has no business in either.
const climbs = (path: string): boolean => path.split('/').includes('..');
const withoutClimbing = text.refine((path) => !climbs(path), 'must hold no ".."');

const MODES = ['RW', 'RO'] as const;
/** Read and write, or only read; read-only means what is mounted below, too. */
export type VolumeMode = (typeof MODES)[number];
const mode = z.enum(MODES);

/** `private`: neither sees what the other mounts later. `host-to-container`, `bidirectional`: as the names say. */
export const PROPAGATIONS = ['private', 'host-to-container', 'bidirectional'] as const;
export type VolumePropagation = (typeof PROPAGATIONS)[number];

/**
 * Where the files of a volume come from: a path of the host, a directory of a sandbox (the container's own, or its
 * parent's), memory. `mountPropagation` has no default: what serves the volume says which is natural there.
 */
export const VolumeSourceSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('HOST_PATH'),
    path: absolutePath,
    mountPropagation: z.enum(PROPAGATIONS).optional(),
  }),
  z.strictObject({
    type: z.literal('SANDBOX_PATH'),
    of: z.enum(['SELF', 'PARENT']),
    path: withoutClimbing.refine((path) => !isAbsolute(path), 'must be relative to the sandbox'),
  }),
  z.strictObject({
    type: z.literal('TMPFS'),
    /** In bytes. */
    limitBytes: z.number().int().positive().optional(),
    /** Permissions of its root, such as 0o1777. */
    permissions: z.number().int().min(0).max(0o7777).optional(),
  }),
]);
export type VolumeSource = z.infer<typeof VolumeSourceSchema>;

/** Files from elsewhere at a path of the container: absolute, or relative to the sandbox. */
export const VolumeSchema = z.strictObject({
  containerPath: withoutClimbing.refine(
    (path) => !['.', '/'].includes(placeOf(path)),
    'names the sandbox itself, or everything',
  ),
  mode,
  source: VolumeSourceSchema,
});
export type Volume = z.infer<typeof VolumeSchema>;

/** Of one container: each at a place of its own. */
export const VolumesSchema = z
  .array(VolumeSchema)
  .max(256)
  .refine(
    (volumes) => new Set(volumes.map(({ containerPath }) => placeOf(containerPath))).size === volumes.length,
    'two volumes have the same containerPath',
  );

/** What an isolator may serve; which ones it does is in its definition (`volumes`). */
export type VolumeKind = VolumeSource['type'] | 'PERSISTENT';
