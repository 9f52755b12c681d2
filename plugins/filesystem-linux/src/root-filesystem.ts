import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { isBelow } from '@caisson/linux/proc';
import { errors } from './errors.js';

const SEARCHABLE_BY_OTHERS = 0o001;

/**
 * The real path of a root filesystem, checked before anything is created. The launcher opens it once and refuses a link
 * that was put into the path since.
 *
 * @throws ROOTFS_INVALID, ROOTFS_HOLDS_STATE
 */
export function resolveRootFilesystem(
  id: string,
  rootfs: string,
  stateDirectories: readonly string[],
): string {
  if (!isAbsolute(rootfs)) throw errors.ROOTFS_INVALID(id, rootfs, 'it must be an absolute path');
  const directory = realDirectory(id, rootfs);
  if (directory === '/')
    throw errors.ROOTFS_INVALID(
      id,
      rootfs,
      'it is that of the host, which a container without one shares anyway',
    );
  const held = stateDirectories.map(realIfPresent).find((state) => isBelow(state, directory));
  if (held !== undefined) throw errors.ROOTFS_HOLDS_STATE(id, rootfs, held);
  return directory;
}

function realDirectory(id: string, rootfs: string): string {
  try {
    const directory = realpathSync.native(rootfs);
    if (statSync(directory).isDirectory()) return directory;
  } catch (error) {
    throw errors.ROOTFS_INVALID(id, rootfs, whyUnreachable(error));
  }
  throw errors.ROOTFS_INVALID(id, rootfs, 'it is not a directory');
}

function whyUnreachable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'it does not exist';
  if (code === 'ENOTDIR') return 'a part of the path is not a directory';
  if (code === 'ELOOP') return 'its symbolic links lead in a circle';
  return `it cannot be read (${code})`;
}

/** They are the agent's for as long as it runs, so they are looked up once. */
const realPaths = new Map<string, string>();

function realIfPresent(path: string): string {
  const known = realPaths.get(path);
  if (known !== undefined) return known;
  try {
    const real = realpathSync.native(path);
    realPaths.set(path, real);
    return real;
  } catch {
    return path;
  }
}

/**
 * True if no directory above a real path keeps other users of the host out (threat model F8: CVE-2021-41103). The root
 * filesystem's own mode doesn't count: it is `/` of the container, which its users must be able to search.
 */
export function isReachableByOthers(directory: string): boolean {
  for (let above = dirname(directory); ; above = dirname(above)) {
    if ((statSync(above).mode & SEARCHABLE_BY_OTHERS) === 0) return false;
    if (above === '/') return true;
  }
}
