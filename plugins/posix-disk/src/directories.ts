import { realpathSync } from 'node:fs';
import {
  type Container,
  type HeldDirectory,
  holdBeneath,
  holdSandbox,
  type Limitation,
  type PersistentVolume,
  persistentVolumePath,
  type Resources,
} from '@caisson/plugin-sdk';

/** Something of a container that is measured, with what it may have. */
export interface MeasuredDirectory {
  /** Which of its container's: '' is the sandbox, a volume is known by its place on the host. */
  readonly key: string;
  /** In MiB, as the container was given it: half a one counts too. */
  readonly quotaMb: number;
  /** Undefined: the sandbox. */
  readonly volume?: PersistentVolume | undefined;
  /** Opens it for a measurement. */
  hold(): HeldDirectory;
}

export const SANDBOX = '';
const MIB = 2 ** 20;

export const quotaBytes = ({ quotaMb }: Pick<MeasuredDirectory, 'quotaMb'>): number =>
  Math.round(quotaMb * MIB);

/** What was exceeded, in the words of the container's resources. */
export const resourcesOf = ({ volume, quotaMb }: MeasuredDirectory): Limitation['resources'] =>
  volume ? { volumes: [volume] } : { disk: quotaMb };

/**
 * Whether its quota ends its container: not that of a filesystem of its own, which ends by itself, nor that of a volume which
 * its container only reads, and somebody else fills.
 */
export const isHeldToQuota = ({ volume }: Pick<MeasuredDirectory, 'volume'>): boolean =>
  volume === undefined || (volume.source?.type !== 'MOUNT' && volume.volume.mode === 'RW');

export interface Allotment {
  readonly resources: Readonly<Resources>;
  readonly limits: Readonly<Resources>;
}

/** A hard limit, where it differs from what was asked for, comes first. */
export const sandboxQuota = ({ resources, limits }: Allotment): number | undefined =>
  limits.disk ?? resources.disk;

/** What is measured of a container: its sandbox, if it was given `disk`, and its persistent volumes. */
export function directoriesOf(
  container: Pick<Container, 'sandbox'>,
  allotment: Allotment,
  workDir: string,
): MeasuredDirectory[] {
  const disk = sandboxQuota(allotment);
  const { volumes = [] } = allotment.resources;
  const measured = volumes.map((volume): MeasuredDirectory => {
    const path = persistentVolumePath(workDir, volume);
    return { key: path, quotaMb: volume.disk, volume, hold: () => holdVolume(path, volume) };
  });
  if (disk === undefined) return measured;
  return [...measured, { key: SANDBOX, quotaMb: disk, hold: () => holdSandbox(workDir, container) }];
}

/** The way there is the operator's; only where all of a filesystem is a volume may it end in a link. */
const holdVolume = (path: string, { source }: PersistentVolume): HeldDirectory =>
  holdBeneath(source?.type === 'MOUNT' ? realpathSync(path) : path, []);
