import { type Logger, messageOf } from '@caisson/plugin-sdk';
import type { ContainerEvent } from './types.js';

export type ContainerListener = (event: ContainerEvent) => void;

/** Events for whoever listens. A listener that throws harms neither the container nor the other listeners. */
export class ContainerEvents {
  readonly #listeners = new Set<ContainerListener>();

  constructor(private readonly log: Logger) {}

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  add(listener: ContainerListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(event: ContainerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.log.error({ event: event.type, error: messageOf(error) }, 'a listener failed');
      }
    }
  }
}
