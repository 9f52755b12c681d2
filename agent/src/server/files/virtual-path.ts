/**
 * Paths of the files API: `/containers/<id>/...`, or where the sandbox really is. Compared by component: `/a/box` is not
 * the beginning of `/a/box2`. The longest sandbox wins, since a nested one lies within its parent's.
 */
import type { ContainerSummary } from '@caisson/core';
import type { ReadyContext } from '../context.js';
import { apiErrors } from '../errors.js';

export interface SandboxPath {
  /** The sandbox. */
  readonly base: string;
  /** Names below it. */
  readonly parts: readonly string[];
  /** As the caller may see it. */
  readonly shown: string;
}

const ROOT = 'containers';

export const virtualRoot = ({ id }: Pick<ContainerSummary, 'id'>): string => `/${ROOT}/${id}`;

/** @throws FILE_REFUSED, FILE_UNKNOWN */
export function resolvePath(path: string, { containers }: ReadyContext): SandboxPath {
  if (!path.startsWith('/')) throw apiErrors.FILE_REFUSED(path, 'a path begins with /');
  if (path.includes('\0')) throw apiErrors.FILE_REFUSED(path, 'a NUL character is not allowed');
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw apiErrors.FILE_REFUSED(path, '".." is not followed');
  const [best] = containers
    .list()
    .flatMap((each) => [beneath(names, each, [ROOT, each.id]), beneath(names, each, split(each.sandbox))])
    .filter((found) => found !== undefined)
    .sort((a, b) => a.parts.length - b.parts.length);
  if (!best) throw apiErrors.FILE_UNKNOWN(path);
  return { ...best, shown: path };
}

const split = (path: string): string[] => path.split('/').filter(Boolean);

function beneath(names: readonly string[], { sandbox }: ContainerSummary, root: readonly string[]) {
  if (!root.every((name, index) => names[index] === name)) return undefined;
  return { base: sandbox, parts: names.slice(root.length) };
}
