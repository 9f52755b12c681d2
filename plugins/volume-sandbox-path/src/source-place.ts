import {
  type Container,
  type HostEnvironment,
  nameInSandbox,
  persistentVolumePath,
  placeInSandbox,
  type ResolvedUser,
  type VolumeOf,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/** Where the files of a volume are: a place that only root can change, and the way on from there, which containers write. */
export interface SourcePlace {
  readonly base: string;
  readonly below: string;
  /** To whom a directory belongs that is made there. */
  readonly owner: ResolvedUser | undefined;
  /** The parent has it read-only, and can't hand on more. */
  readonly isReadOnly: boolean;
}

/** @throws VOLUME_OF_PARENT */
export function placeOfSource(
  host: HostEnvironment,
  container: Container,
  { of, path }: VolumeOf<'SANDBOX_PATH'>['source'],
): SourcePlace {
  if (of === 'SELF')
    return { ...placeInSandbox(host, container, path), owner: container.user, isReadOnly: false };
  const { id, parent } = container;
  if (!parent) throw errors.VOLUME_OF_PARENT(id, path, 'it has none');
  return inPersistentVolume(host, parent, path) ?? inParentsSandbox(host, id, parent, path);
}

const firstPart = (path: string): string | undefined =>
  path.split('/').find((part) => part !== '' && part !== '.');

/** What the parent has mounted in its sandbox is not there on the host: it is where it comes from. */
function inPersistentVolume(
  { workDir }: HostEnvironment,
  parent: Container,
  path: string,
): SourcePlace | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const volume = (parent.resources.volumes ?? []).find((each) => nameInSandbox(parent.id, each) === parts[0]);
  if (!volume) return undefined;
  return {
    base: persistentVolumePath(workDir, volume),
    below: parts.slice(1).join('/'),
    owner: parent.user,
    isReadOnly: volume.volume.mode === 'RO',
  };
}

function inParentsSandbox(host: HostEnvironment, id: string, parent: Container, path: string): SourcePlace {
  const first = firstPart(path);
  const isVolume = (parent.config.volumes ?? []).some(
    ({ containerPath }) => !containerPath.startsWith('/') && firstPart(containerPath) === first,
  );
  if (isVolume) throw errors.VOLUME_OF_PARENT(id, path, 'that is a volume of the parent, which only it has');
  return { ...placeInSandbox(host, parent, path), owner: parent.user, isReadOnly: false };
}
