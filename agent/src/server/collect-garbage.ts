/**
 * Containers that ended are kept until somebody removes them, or until they are older than `gcDelay`; the fuller the disk,
 * the sooner: delay x max(0, 1 - headroom - usage), as in Mesos.
 */
import { statfsSync } from 'node:fs';
import type { ContainerId, Logger } from '@caisson/plugin-sdk';
import { messageOf } from '@caisson/plugin-sdk';
import type { Containers } from './context.js';
import type { Settings } from './settings/settings.js';

export class GarbageCollector {
  /** On the monotonic clock: one that is set back or forward makes nothing younger or older. */
  readonly #endedAt = new Map<ContainerId, number>();
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;

  constructor(
    private readonly containers: Pick<Containers, 'list' | 'remove' | 'onEvent' | 'configuration'>,
    private readonly settings: Pick<Settings, 'gcDelayMs' | 'gcDiskHeadroom' | 'diskWatchMs'>,
    private readonly log: Logger,
    private readonly now: () => number = () => performance.now(),
  ) {}

  start(): void {
    // Of one that ended before this agent began, the end counts as now.
    for (const { id, state } of this.containers.list())
      if (state === 'ENDED') this.#endedAt.set(id, this.now());
    this.containers.onEvent((event) => {
      if (event.type === 'ended') this.#endedAt.set(event.id, this.now());
      else if (event.type === 'removed') this.#endedAt.delete(event.id);
    });
    this.#timer = setInterval(
      () => void this.collect(usageOf(this.containers.configuration.values.workDir)),
      this.settings.diskWatchMs,
    ).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param usage  of the disk, 0 to 1 */
  async collect(usage: number): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const age = this.settings.gcDelayMs * Math.max(0, 1 - this.settings.gcDiskHeadroom - usage);
    const known = new Map(this.containers.list().map((each) => [each.id, each]));
    for (const [id, endedAt] of this.#endedAt) {
      const container = known.get(id);
      if (!container) this.#endedAt.delete(id);
      else if (container.parentId === undefined && this.now() - endedAt >= age) await this.#remove(id);
    }
    this.#isRunning = false;
  }

  async #remove(id: ContainerId): Promise<void> {
    try {
      await this.containers.remove(id);
      this.log.info({ container: id }, 'removed: it ended long ago');
    } catch (error) {
      this.log.warn({ container: id, error: messageOf(error) }, 'could not be removed');
    }
  }
}

function usageOf(directory: string): number {
  try {
    const { blocks, bavail } = statfsSync(directory);
    return blocks > 0 ? 1 - bavail / blocks : 0;
  } catch {
    return 0;
  }
}
