import { Reaper } from '../process/reaper.js';
import type { StopWatching } from './watch.js';

/**
 * What is watched of many containers, on one epoll set that exists only while something is watched: an isolator that watches
 * nothing holds no descriptor.
 */
export class CgroupWatches {
  readonly #stops = new Map<string, StopWatching[]>();
  #reaper: Reaper | undefined;

  /** Starts watches of a container, instead of those that it has. What `start` throws leaves none. */
  set(containerId: string, start: (reaper: Reaper, started: StopWatching[]) => void): void {
    this.stop(containerId);
    this.#reaper ??= new Reaper();
    const started: StopWatching[] = [];
    this.#stops.set(containerId, started);
    try {
      start(this.#reaper, started);
    } catch (error) {
      this.stop(containerId);
      throw error;
    }
  }

  /** Does nothing for a container that has none. */
  stop(containerId: string): void {
    for (const stop of this.#stops.get(containerId) ?? []) stop();
    this.#stops.delete(containerId);
    if (this.#stops.size > 0) return;
    this.#reaper?.close();
    this.#reaper = undefined;
  }

  stopAll(): void {
    for (const id of [...this.#stops.keys()]) this.stop(id);
  }
}
