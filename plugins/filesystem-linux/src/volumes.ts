import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { isErrno } from '@caisson/linux';
import { readMountinfo } from '@caisson/linux/proc';
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  MOUNT_ATTR,
  MS,
  makeDirectoriesBeneath,
  mountAttributes,
  mountSetattr,
  OPEN_TREE,
  openDirectory,
  openDirectoryBeneath,
  openTree,
  unlinkat,
} from '@caisson/linux/syscalls';
import {
  type Container,
  giveBackPersistentVolumes,
  type HostEnvironment,
  type LaunchPlan,
  nameInSandbox,
  type PersistentVolume,
  placeInSandbox,
  sandboxInside,
  takePersistentVolume,
  type VolumeMode,
  volumeMount,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { attachInContainer, detachInContainer, type MountNamespace } from './in-container.js';

const MOUNT_POINT = { mode: 0o755, uid: 0, gid: 0 };

/** In the launch plan, after the sandbox. */
export function planVolume(
  { workDir }: HostEnvironment,
  container: Container,
  volume: PersistentVolume,
  plan: LaunchPlan,
): void {
  const name = nameInSandbox(container.id, volume);
  const { path } = takePersistentVolume(workDir, container, volume, { reachable: false });
  const target = `${sandboxInside(container, plan)}/${name}`;
  const mount = volumeMount({
    source: path,
    target,
    mode: volume.volume.mode,
    createTarget: 'directory',
    propagation: 'private',
  });
  // Without what may be mounted below it: the container can give it back only if nothing is.
  plan.mount({ ...mount, recursive: false });
}

/** Into a container that runs. @param sandbox  as the container finds it */
export async function addVolume(
  host: HostEnvironment,
  container: Container,
  sandbox: string,
  volume: PersistentVolume,
): Promise<void> {
  const name = nameInSandbox(container.id, volume);
  const { path, giveBack } = takePersistentVolume(host.workDir, container, volume, { reachable: false });
  let tree: number | undefined;
  let namespace: MountNamespace | undefined;
  try {
    namespace = enter(host, container);
    tree = detachedTree(path, volume.volume.mode);
    makeMountPoint(host, container, name);
    await attachInContainer(container.id, namespace, { tree, sandbox, name });
  } catch (error) {
    giveBack();
    throw error;
  } finally {
    for (const fd of [tree, namespace?.fd]) if (fd !== undefined) closeSync(fd);
  }
}

/** Out of a container that runs. What is open in it makes that fail, and the container keeps it. */
export async function removeVolume(
  host: HostEnvironment,
  container: Container,
  sandbox: string,
  volume: PersistentVolume,
): Promise<void> {
  const name = nameInSandbox(container.id, volume);
  const namespace = enter(host, container);
  try {
    await detachInContainer(container.id, namespace, { sandbox, name });
  } finally {
    closeSync(namespace.fd);
  }
  removeMountPoint(host, container, name);
  giveBackPersistentVolumes(host.workDir, container.id, [volume]);
}

/** @throws CONTAINER_GONE if its pid is another process's by now, or leads to the mounts of the host */
function enter({ workDir }: HostEnvironment, container: Container): MountNamespace {
  const fd = openNamespace(container.pid ?? 0);
  if (fd === undefined) throw errors.CONTAINER_GONE(container.id);
  // Asked once it is open: it was the same process all the time (threat model N12).
  if (container.holdsPid && fstatSync(fd).ino !== statSync('/proc/self/ns/mnt').ino) return { fd, workDir };
  closeSync(fd);
  throw errors.CONTAINER_GONE(container.id);
}

/** Where a container finds its sandbox, as its mounts tell: the option for it may be another one since it was launched. */
export function sandboxSeenBy(pid: number, host: HostEnvironment, container: Container): string {
  const { base, below } = placeInSandbox(host, container);
  const place = `/${basename(base)}/${below}`;
  const mount = readMountinfo(pid).findLast(({ root }) => root.endsWith(place));
  return mount?.mountPoint ?? container.sandbox;
}

function openNamespace(pid: number): number | undefined {
  try {
    return openSync(`/proc/${pid}/ns/mnt`, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** A copy of the mount that is attached nowhere, with its flags: it appears in the container as it shall be, at once. */
function detachedTree(path: string, mode: VolumeMode): number {
  const directory = openDirectory(path);
  try {
    const tree = openTree(
      directory,
      '',
      OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | AT_EMPTY_PATH,
    );
    try {
      const { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } = MOUNT_ATTR;
      const flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mode === 'RO' ? MOUNT_ATTR_RDONLY : 0);
      mountSetattr(tree, '', AT_EMPTY_PATH, mountAttributes(flags, 0, MS.MS_PRIVATE));
      return tree;
    } catch (error) {
      closeSync(tree);
      throw error;
    }
  } finally {
    closeSync(directory);
  }
}

/**
 * On the host, in the sandbox itself: what the container calls its sandbox may lead elsewhere by now (threat model F1).
 *
 * @throws VOLUME_PLACE_TAKEN  something is there: it would be hidden
 */
function makeMountPoint(host: HostEnvironment, container: Container, name: string): void {
  const { base, below } = placeInSandbox(host, container);
  const guard = openDirectory(base);
  let directory: number | undefined;
  try {
    directory = makeDirectoriesBeneath(guard, `${below}/${name}`, MOUNT_POINT);
    if (readdirSync(`/proc/self/fd/${directory}`).length > 0)
      throw errors.VOLUME_PLACE_TAKEN(container.id, name);
  } catch (error) {
    if (isErrno(error, 'ELOOP', 'ENOTDIR', 'ESTALE')) throw errors.VOLUME_PLACE_TAKEN(container.id, name);
    throw error;
  } finally {
    for (const fd of [directory, guard]) if (fd !== undefined) closeSync(fd);
  }
}

/** What the container has put into it, or in its place, stays. */
function removeMountPoint(host: HostEnvironment, container: Container, name: string): void {
  const { base, below } = placeInSandbox(host, container);
  const guard = openDirectory(base);
  let sandbox: number | undefined;
  try {
    sandbox = openDirectoryBeneath(guard, below);
    unlinkat(sandbox, name, AT_REMOVEDIR);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'ELOOP')) throw error;
  } finally {
    for (const fd of [sandbox, guard]) if (fd !== undefined) closeSync(fd);
  }
}
