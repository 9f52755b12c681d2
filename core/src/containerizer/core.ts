import type { Logger } from '@caisson/plugin-sdk';
import type { ManagedContainer } from './managed-container.js';
import type { ContainerEvent } from './types.js';

/** What the parts of the core share. */
export interface Core {
  readonly log: Logger;
  /** Everything ends with this process, so nothing needs to be kept for the next one. */
  readonly transient: boolean;
  /** Another process may own the containers by now: nothing is done to them any more. */
  isClosed: boolean;
  /** Ended containers whose termination is still to be written. */
  readonly unwritten: Set<ManagedContainer>;
  emit(event: ContainerEvent): void;
}
