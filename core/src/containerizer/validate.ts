/** Everything that can be known to be wrong with a launch before anything is made for it. */
import {
  type ContainerConfig,
  ContainerConfigSchema,
  type ContainerId,
  parentOf,
  parseContainerId,
  type ResolvedUser,
} from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { parseStrictly } from '../schema-problems.js';
import type { ManagedContainer } from './managed-container.js';
import { volumeKindsOf } from './volumes.js';

export interface ValidLaunch {
  readonly id: ContainerId;
  readonly config: ContainerConfig;
  readonly parent: ManagedContainer | undefined;
}

/**
 * @throws CONTAINER_ID_INVALID, CONTAINER_EXISTS, CONTAINER_UNKNOWN (the parent), PARENT_NOT_RUNNING, DEBUG_NEEDS_PARENT,
 *   DEBUG_VOLUMES, CONTAINER_CONFIG_INVALID
 */
export function validateLaunch(
  text: string,
  input: unknown,
  containers: ReadonlyMap<ContainerId, ManagedContainer>,
): ValidLaunch {
  const id = parseContainerId(text);
  const existing = containers.get(id);
  if (existing) throw coreErrors.CONTAINER_EXISTS(id, existing.state);
  const { value: config, problems } = parseStrictly(ContainerConfigSchema, input);
  if (problems) throw coreErrors.CONTAINER_CONFIG_INVALID(id, problems);
  const parent = parentFor(id, containers);
  if (config.class === 'DEBUG' && !parent) throw coreErrors.DEBUG_NEEDS_PARENT(id);
  if (config.class === 'DEBUG' && volumeKindsOf(config).length > 0) throw coreErrors.DEBUG_VOLUMES(id);
  return { id, config: parent ? inherit(config, parent) : config, parent };
}

function parentFor(
  id: ContainerId,
  containers: ReadonlyMap<ContainerId, ManagedContainer>,
): ManagedContainer | undefined {
  const parentId = parentOf(id);
  if (parentId === undefined) return undefined;
  const parent = containers.get(parentId);
  if (!parent) throw coreErrors.CONTAINER_UNKNOWN(parentId);
  if (parent.state !== 'RUNNING') throw coreErrors.PARENT_NOT_RUNNING(id, parentId, parent.state);
  return parent;
}

/** A nested container is its parent's user, unless it says otherwise (spec: containerizer, nested). */
function inherit(config: ContainerConfig, parent: ManagedContainer): ContainerConfig {
  const user = config.user ?? parent.config.user;
  return user === undefined ? config : { ...config, user };
}

/** The launcher is trusted as little as any plugin. */
export function checkUser(user: ResolvedUser | undefined): ResolvedUser | undefined {
  if (user === undefined) return undefined;
  if (Number.isInteger(user.uid) && Number.isInteger(user.gid) && Array.isArray(user.supplementaryGids))
    return user;
  throw new TypeError('the launcher resolved the user to something that is no user');
}
