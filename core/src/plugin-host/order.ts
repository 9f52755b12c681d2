import { coreErrors } from '../errors.js';
import type { ResolvedIsolator } from './catalogue.js';
import { matches } from './requirements.js';

/**
 * The order of the configuration, save that an isolator comes after those it requires or names as `after`, and after those
 * that name it as `before`.
 *
 * @throws REQUIREMENTS_UNMET for isolators that are to come after each other in a circle
 */
export function inOrder(isolators: readonly ResolvedIsolator[]): ResolvedIsolator[] {
  const ordered = new Set<ResolvedIsolator>();
  const visit = (isolator: ResolvedIsolator, path: readonly ResolvedIsolator[]): void => {
    if (ordered.has(isolator)) return;
    if (path.includes(isolator)) throw circle([...path.slice(path.indexOf(isolator)), isolator]);
    for (const each of isolators)
      if (each !== isolator && comesBefore(each, isolator)) visit(each, [...path, isolator]);
    ordered.add(isolator);
  };
  for (const isolator of isolators) visit(isolator, []);
  return [...ordered];
}

function comesBefore({ name, definition }: ResolvedIsolator, other: ResolvedIsolator): boolean {
  const { isolators = [], after = [] } = other.definition.requires ?? {};
  const { before = [] } = definition.requires ?? {};
  return (
    [...isolators, ...after].some((earlier) => matches(earlier, name)) ||
    before.some((later) => matches(later, other.name))
  );
}

const circle = (path: readonly ResolvedIsolator[]) =>
  coreErrors.REQUIREMENTS_UNMET([
    `these are to come after each other in a circle: ${path.map(({ name }) => name).join(' > ')}`,
  ]);
