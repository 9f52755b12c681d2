import type { ContainerId } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import type { ManagedContainer } from './managed-container.js';

/** The containers of this owner by id, and where isolators keep what they remember of each. */
export class Registry {
  readonly #containers = new Map<ContainerId, ManagedContainer>();
  readonly #directories = new Map<ContainerId, string>();

  get containers(): ReadonlyMap<ContainerId, ManagedContainer> {
    return this.#containers;
  }

  add(container: ManagedContainer): void {
    this.#containers.set(container.id, container);
    this.#directories.set(container.id, container.place.runtimeDirectory);
  }

  remove({ id }: ManagedContainer): void {
    this.#containers.delete(id);
    this.#directories.delete(id);
  }

  /** @throws CONTAINER_UNKNOWN */
  find(id: ContainerId): ManagedContainer {
    const container = this.#containers.get(id);
    if (!container) throw coreErrors.CONTAINER_UNKNOWN(id);
    return container;
  }

  /** Containers of a run whose owner died are not this owner's; their isolators' memory is needed to undo them. */
  lend(id: ContainerId, directory: string): void {
    if (!this.#containers.has(id)) this.#directories.set(id, directory);
  }

  takeBack(id: ContainerId): void {
    if (!this.#containers.has(id)) this.#directories.delete(id);
  }

  directoryOf(id: ContainerId): string | undefined {
    return this.#directories.get(id);
  }
}
