import type { ContainerId, LimitsSchema, Resources, ResourcesSchema } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { writeRecord } from '../checkpoints/record.js';
import { coreErrors } from '../errors.js';
import { combined } from '../hooks/phases.js';
import { parseStrictly } from '../schema-problems.js';
import type { Core } from './core.js';
import type { ManagedContainer } from './managed-container.js';
import { requireVolumeProviders } from './volumes.js';

export interface Allocation {
  readonly resources: Resources;
  readonly limits: Resources;
}

/** @throws CONTAINER_CONFIG_INVALID */
export function checkResources(
  id: ContainerId,
  schema: typeof ResourcesSchema | typeof LimitsSchema,
  input: unknown,
): Resources {
  const { value, problems } = parseStrictly(schema, input);
  if (problems) throw coreErrors.CONTAINER_CONFIG_INVALID(id, problems);
  return value;
}

/** Updates of one container run one after another; one that fails holds nobody up. */
export async function updateContainer(
  core: Core,
  container: ManagedContainer,
  wanted: Allocation,
): Promise<void> {
  const mine = container.updating.then(() => apply(core, container, wanted));
  container.updating = mine.catch(() => {});
  await mine;
}

async function apply(
  core: Core,
  container: ManagedContainer,
  { resources, limits }: Allocation,
): Promise<void> {
  const { id, generation, subject, view, place } = container;
  requireRunning(container);
  requireVolumeProviders(id, generation.isolators, { resources }, place.isNested);
  const failures = await generation.phases.parallel('update', subject, () => [view, resources, limits]);
  if (failures.length > 0) throw combined('update', id, failures);
  await failpoint('update.applied');
  // It may have ended meanwhile, and its record says so.
  requireRunning(container);
  writeRecord(place.runtimeDirectory, { ...container.record(), resources, limits });
  container.resources = Object.freeze(resources);
  container.limits = Object.freeze(limits);
  core.emit({ type: 'updated', id, resources });
}

function requireRunning({ id, state }: ManagedContainer): void {
  if (state !== 'RUNNING') throw coreErrors.CONTAINER_NOT_RUNNING(id, state);
}
