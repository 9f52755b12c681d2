import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../container.js';
import { defineErrors } from '../errors.js';
import { sandboxInside } from '../sandbox-place.js';
import type { Volume, VolumeSource } from '../volumes.js';
import type { LaunchPlan } from './launch-plan.js';

export const volumeErrors = defineErrors({
  VOLUME_TARGET_MISSING: {
    kind: 'invalid',
    message: (id: string, path: string) =>
      `container ${id}: a volume cannot be at ${JSON.stringify(path)}: there is nothing on the host, whose files the container sees`,
    hint: () => 'make it, give the container a root filesystem, or name a path relative to the sandbox',
  },
  VOLUME_HIDES_SANDBOX: {
    kind: 'invalid',
    message: (id: string, path: string, sandbox: string) =>
      `container ${id}: a volume at ${JSON.stringify(path)} would hide the sandbox, ${sandbox}`,
    hint: () => 'put it into the sandbox, or beside it',
  },
  VOLUME_SOURCE_INVALID: {
    kind: 'invalid',
    message: (id: string, source: string, why: string) =>
      `container ${id}: the volume of ${JSON.stringify(source)} ${why}`,
  },
});

/** A volume whose source is of one kind. */
export type VolumeOf<Type extends VolumeSource['type']> = Volume & {
  readonly source: Extract<VolumeSource, { type: Type }>;
};

const depth = ({ containerPath }: Volume): number => containerPath.split('/').filter(Boolean).length;

/** Those of a kind, outer ones first: an outer one that is mounted later would hide those within. */
export const volumesOf = <Type extends VolumeSource['type']>(
  { config }: Pick<Container, 'config'>,
  type: Type,
): VolumeOf<Type>[] =>
  (config.volumes ?? [])
    .filter((volume): volume is VolumeOf<Type> => volume.source.type === type)
    .sort((one, other) => depth(one) - depth(other));

/** It, or what it is nested in, has a root filesystem: paths in it are not those of the host. */
export const hasRootfs = ({ config, parent }: Container): boolean =>
  config.rootfs !== undefined || (parent !== undefined && hasRootfs(parent));

/**
 * Where a volume goes: a relative path is in the sandbox. What is missing is made there and in a root filesystem, never among the
 * host's own files.
 *
 * @param kind  of the source: a file is mounted on a file
 * @throws VOLUME_TARGET_MISSING, VOLUME_HIDES_SANDBOX
 */
export function volumeTarget(
  container: Container,
  plan: LaunchPlan,
  containerPath: string,
  kind: 'directory' | 'file',
): { readonly target: string; readonly createTarget?: 'directory' | 'file' } {
  const sandbox = sandboxInside(container, plan);
  const isAbsolute = containerPath.startsWith('/');
  const target = isAbsolute ? join(containerPath) : join(sandbox, containerPath);
  if (sandbox === target || sandbox.startsWith(`${target.replace(/\/$/, '')}/`))
    throw volumeErrors.VOLUME_HIDES_SANDBOX(container.id, containerPath, sandbox);
  if (!isAbsolute || hasRootfs(container)) return { target, createTarget: kind };
  if (container.parentId === undefined && !existsSync(target))
    throw volumeErrors.VOLUME_TARGET_MISSING(container.id, containerPath);
  return { target };
}
