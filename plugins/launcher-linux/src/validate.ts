import { realpathSync, type Stats, statSync } from 'node:fs';
import { hostUsers, resolveUser, type UserDatabase } from '@caisson/linux/proc';
import type { ContainerConfig, ResolvedUser } from '@caisson/plugin-sdk';
import { capabilitySets } from './capabilities.js';
import { errors } from './errors.js';

/** Checks what no schema can: root filesystem, user, capabilities. Nothing has been created yet. */
export function validateConfig(config: Readonly<ContainerConfig>): ResolvedUser | undefined {
  if (config.rootfs !== undefined) checkRootfs(config.rootfs);
  const user = config.user === undefined ? undefined : userOf(config.user);
  checkCapabilities(config);
  return user;
}

function checkRootfs(path: string): void {
  if (!path.startsWith('/')) throw errors.ROOTFS_INVALID(path, 'it must be an absolute path');
  try {
    const directory = statSync(path);
    if (!directory.isDirectory()) throw errors.ROOTFS_INVALID(path, 'it is not a directory');
    // What is bound from it has its numbers too, and may be a root filesystem.
    if (isSame(directory, root()) && realpathSync.native(path) === '/')
      throw errors.ROOTFS_INVALID(path, 'it is the root of the host');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw errors.ROOTFS_INVALID(path, 'it does not exist');
    if (code === 'ENOTDIR') throw errors.ROOTFS_INVALID(path, 'a part of the path is not a directory');
    if (code === 'ELOOP') throw errors.ROOTFS_INVALID(path, 'its symbolic links lead in a circle');
    throw error;
  }
}

let rootOfHost: Stats | undefined;
const root = (): Stats => {
  rootOfHost ??= statSync('/');
  return rootOfHost;
};

const isSame = (one: Stats, other: Stats): boolean => one.ino === other.ino && one.dev === other.dev;

/** On the host, before the launch: no library of an image runs in the agent (threat model N9). */
function userOf(name: string): ResolvedUser {
  const user = resolveUser(name, needsDatabase(name) ? hostUsers() : NOBODY);
  if (typeof user === 'string') throw errors.USER_UNKNOWN(name, user);
  return user;
}

const NOBODY: UserDatabase = { users: [], groups: [] };
// `1000:1000` says all: no group of the database is added to it.
const needsDatabase = (name: string): boolean => !/^\d+:\d+$/.test(name);

function checkCapabilities({ capabilities, privileged = false }: Readonly<ContainerConfig>): void {
  if (!capabilities) return;
  const { effective = [], bounding = effective } = capabilities;
  capabilitySets({ privileged, capabilities: { effective, bounding } });
}
