import type { VolumeMode } from '../volumes.js';
import type { BindMount } from './mount.js';

export interface VolumeMount
  extends Pick<BindMount, 'source' | 'below' | 'target' | 'createTarget' | 'propagation'> {
  readonly mode: VolumeMode;
}

/**
 * How a volume is mounted: nosuid and nodev, so that what a container puts there makes nobody root (threat model F8), with the
 * mounts below it. A read-only one is private unless it says otherwise: what the host mounts below it later would come in
 * without `ro`.
 */
export function volumeMount({ mode, propagation, below, createTarget, ...mount }: VolumeMount): BindMount {
  const how = propagation ?? (mode === 'RO' ? 'private' : undefined);
  return {
    type: 'bind',
    ...mount,
    ...(below !== undefined && { below }),
    recursive: true,
    flags: ['nosuid', 'nodev', ...(mode === 'RO' ? (['ro'] as const) : [])],
    ...(createTarget && { createTarget }),
    ...(how && { propagation: how }),
  };
}
