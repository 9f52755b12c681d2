import { constants } from 'node:os';
import { SyscallError } from '../errors.js';

/**
 * The components of a cgroup's path, relative to its hierarchy; the empty path is the hierarchy itself.
 *
 * @throws SyscallError  EINVAL for an absolute path, an empty component, `.`, `..` or NUL: names come from containers
 */
export function componentsOf(path: string): string[] {
  if (path === '') return [];
  const components = path.split('/');
  if (components.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0')))
    throw new SyscallError('openat2', constants.errno.EINVAL, { cgroup: path });
  return components;
}

export const parentPath = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
export const lastName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const joinPath = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);
