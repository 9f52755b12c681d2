import { coreErrors } from '../errors.js';
import type { ResolvedIsolator } from './catalogue.js';
import { matches } from './requirements.js';

/**
 * The order of the configuration, save that an isolator comes after those it requires, or names as `after`.
 *
 * @throws REQUIREMENTS_UNMET for isolators that require each other in a circle
 */
export function inOrder(isolators: readonly ResolvedIsolator[]): ResolvedIsolator[] {
  const ordered = new Set<ResolvedIsolator>();
  const visit = (isolator: ResolvedIsolator, path: readonly ResolvedIsolator[]): void => {
    if (ordered.has(isolator)) return;
    if (path.includes(isolator)) throw circle([...path.slice(path.indexOf(isolator)), isolator]);
    const { isolators: required = [], after = [] } = isolator.definition.requires ?? {};
    for (const needed of [...required, ...after])
      for (const each of isolators)
        if (each !== isolator && matches(needed, each.name)) visit(each, [...path, isolator]);
    ordered.add(isolator);
  };
  for (const isolator of isolators) visit(isolator, []);
  return [...ordered];
}

const circle = (path: readonly ResolvedIsolator[]) =>
  coreErrors.REQUIREMENTS_UNMET([
    `these require each other in a circle: ${path.map(({ name }) => name).join(' > ')}`,
  ]);
