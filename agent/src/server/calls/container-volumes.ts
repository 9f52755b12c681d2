/** Volumes of a ContainerInfo as the core knows them. Which paths they may name, the core checks. */
import { type Volume, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';

const mode = z.enum(['RW', 'RO']);
const sized = z.object({ bytes: z.number().int().positive() });

/** TMPFS is ours: memory, of which Mesos has no volumes. */
const SourceSchema = z.object({
  type: z.enum(['DOCKER_VOLUME', 'HOST_PATH', 'SANDBOX_PATH', 'SECRET', 'CSI_VOLUME', 'TMPFS']),
  host_path: z
    .object({
      path: z.string(),
      mount_propagation: z
        .object({ mode: z.enum(['HOST_TO_CONTAINER', 'BIDIRECTIONAL']).optional() })
        .optional(),
    })
    .optional(),
  sandbox_path: z.object({ type: z.enum(['SELF', 'PARENT']), path: z.string() }).optional(),
  tmpfs: z.object({ limit: sized.optional(), mode: z.number().int().optional() }).optional(),
});
type Source = z.infer<typeof SourceSchema>;

export const WireVolumeSchema = z.object({
  mode,
  container_path: z.string().min(1),
  host_path: z.string().min(1).optional(),
  image: z.unknown().optional(),
  source: SourceSchema.optional(),
});
export type WireVolume = z.infer<typeof WireVolumeSchema>;

/** @throws CALL_INVALID, UNSUPPORTED_FIELD */
export function volumeOf({ mode, container_path, host_path, image, source }: WireVolume): Volume {
  const given = [host_path, image, source].filter((each) => each !== undefined);
  if (given.length !== 1) throw invalid(container_path, 'give one of host_path, image and source');
  if (image !== undefined) throw unsupported('image');
  return {
    mode,
    containerPath: container_path,
    source: source ? sourceOf(container_path, source) : hostPathOf(host_path as string),
  };
}

/** A relative one is below the sandbox, as it always was. */
const hostPathOf = (path: string): Volume['source'] =>
  path.startsWith('/') ? { type: 'HOST_PATH', path } : { type: 'SANDBOX_PATH', of: 'SELF', path };

const PROPAGATION = { HOST_TO_CONTAINER: 'host-to-container', BIDIRECTIONAL: 'bidirectional' } as const;

function sourceOf(at: string, { type, host_path, sandbox_path, tmpfs = {} }: Source): Volume['source'] {
  switch (type) {
    case 'HOST_PATH': {
      if (!host_path) throw invalid(at, 'source.host_path: required');
      const propagation = host_path.mount_propagation?.mode;
      return {
        type,
        path: host_path.path,
        ...(propagation && { mountPropagation: PROPAGATION[propagation] }),
      };
    }
    case 'SANDBOX_PATH':
      if (!sandbox_path) throw invalid(at, 'source.sandbox_path: required');
      return { type, of: sandbox_path.type, path: sandbox_path.path };
    case 'TMPFS':
      return {
        type,
        ...(tmpfs.limit && { limitBytes: tmpfs.limit.bytes }),
        ...(tmpfs.mode !== undefined && { permissions: tmpfs.mode }),
      };
    default:
      throw unsupported(`source.type ${type}`);
  }
}

const invalid = (path: string, problem: string) =>
  apiErrors.CALL_INVALID('LAUNCH_CONTAINER', [`volumes: ${JSON.stringify(path)}: ${problem}`]);
const unsupported = (field: string) =>
  apiErrors.UNSUPPORTED_FIELD(`container.volumes: ${field}`, 'not supported yet');
