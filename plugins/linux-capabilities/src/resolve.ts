import type { Container, PlannedCapabilities } from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import type { CapabilitiesOptions } from './options.js';

type Names = readonly string[];

/** Names of the first list that the second has not. */
const beyond = (names: Names, bound: Names): Names => names.filter((name) => !bound.includes(name));

/**
 * The sets of one container, from what it asks for and what the operator says. Undefined: neither says anything, and the
 * launcher's own default holds.
 *
 * @throws CAPABILITIES_NOT_ALLOWED, EFFECTIVE_NOT_BOUNDED
 */
export function resolveCapabilities(
  { id, config }: Pick<Container, 'id' | 'config'>,
  options: CapabilitiesOptions,
): { readonly effective: Names | undefined; readonly bounding: Names } | undefined {
  const { capabilities: asked = {}, privileged = false } = config;
  const asksForAll = privileged && asked.effective === undefined && asked.bounding === undefined;
  const requested = asksForAll ? 'all' : asked.bounding;
  if (
    requested &&
    options.bounding &&
    (requested === 'all' || beyond(requested, options.bounding).length > 0)
  )
    throw errors.CAPABILITIES_NOT_ALLOWED(id, requested, options.bounding);
  // `effective` of the options is for those that ask for nothing; privileged is to ask for everything.
  if (asksForAll) return undefined;
  const effective = asked.effective ?? options.effective;
  const bounding = asked.bounding ?? options.bounding ?? effective;
  if (!bounding) return undefined;
  const outside = beyond(effective ?? [], bounding);
  if (outside.length === 0) return { effective, bounding };
  if (asked.effective && !asked.bounding)
    throw errors.CAPABILITIES_NOT_ALLOWED(id, asked.effective, bounding);
  throw errors.EFFECTIVE_NOT_BOUNDED(
    id,
    outside,
    bounding,
    asked.bounding ? 'it asks for' : 'of the operator',
  );
}

/** As the launcher takes it: nothing that the agent itself could not give. A bounding set gives nothing, so it is cut. */
export function plannedSets(
  { effective, bounding }: { effective: Names | undefined; bounding: Names },
  available: ReadonlySet<string>,
): PlannedCapabilities {
  const possible = bounding.filter((name) => available.has(name));
  return effective ? { effective, bounding: possible } : { bounding: possible };
}
