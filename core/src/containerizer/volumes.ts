/** A container without a volume that it asked for would be another one: what nobody serves is refused. */
import type { ContainerConfig, ContainerId, VolumeKind } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';

interface Provider {
  readonly supportsNesting: boolean;
  readonly volumes: readonly VolumeKind[];
}

/** The kinds of volumes that a container asks for. */
export function volumeKindsOf({
  volumes = [],
  resources,
}: Pick<ContainerConfig, 'volumes' | 'resources'>): VolumeKind[] {
  const kinds = new Set<VolumeKind>(volumes.map(({ source }) => source.type));
  if ((resources?.volumes?.length ?? 0) > 0) kinds.add('PERSISTENT');
  return [...kinds];
}

/** By convention HOST_PATH is what `volume/host_path` serves; persistent volumes are a matter of the filesystem. */
const usualProvider = (kind: VolumeKind): string =>
  kind === 'PERSISTENT' ? 'filesystem/linux' : `volume/${kind.toLowerCase()}`;

/** @throws VOLUME_UNSUPPORTED */
export function requireVolumeProviders(
  id: ContainerId,
  isolators: readonly Provider[],
  asked: Pick<ContainerConfig, 'volumes' | 'resources'>,
  isNested: boolean,
): void {
  const providers = isolators.filter(({ supportsNesting }) => supportsNesting || !isNested);
  for (const kind of volumeKindsOf(asked))
    if (!providers.some(({ volumes }) => volumes.includes(kind)))
      throw coreErrors.VOLUME_UNSUPPORTED(id, kind, usualProvider(kind));
}
