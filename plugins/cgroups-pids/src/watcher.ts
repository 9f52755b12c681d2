import { isErrno } from '@caisson/linux';
import { type Cgroup, CgroupWatches, watchFile } from '@caisson/linux/cgroups';
import { eventsFile, readLimit, readRefused } from './figures.js';

interface Watched {
  readonly cgroup: Cgroup;
  /** Called once. */
  readonly reached: (cgroup: Cgroup) => void;
}

/**
 * Tells when the kernel has refused a container a fork. Version 2 says so itself; version 1 does not on every kernel, so there
 * all containers are looked at together, on one timer.
 */
export class RefusalWatcher {
  readonly #watches = new CgroupWatches();
  readonly #polled = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly intervalMs: number) {}

  /** Tells at once what happened while nobody watched: the agent may have been away. */
  watch(id: string, cgroup: Cgroup, reached: (cgroup: Cgroup) => void): void {
    const watched = { cgroup, reached };
    if (hasRefused(watched)) {
      reached(cgroup);
      return;
    }
    if (cgroup.hierarchy.version === 2) this.#listen(id, watched);
    else this.#poll(id, watched);
  }

  stop(id: string): void {
    this.#watches.stop(id);
    this.#polled.delete(id);
    if (this.#polled.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    this.#watches.stopAll();
    for (const id of [...this.#polled.keys()]) this.stop(id);
  }

  #listen(id: string, watched: Watched): void {
    this.#watches.set(id, (reaper, started) => {
      const { cgroup } = watched;
      started.push(watchFile(cgroup, eventsFile(cgroup), reaper, () => this.#check(id, watched)));
    });
  }

  /** The timer alone keeps no program alive. */
  #poll(id: string, watched: Watched): void {
    this.#polled.set(id, watched);
    this.#timer ??= setInterval(() => {
      for (const [each, polled] of [...this.#polled]) this.#check(each, polled);
    }, this.intervalMs).unref();
  }

  #check(id: string, watched: Watched): void {
    if (!hasRefused(watched)) return;
    this.stop(id);
    watched.reached(watched.cgroup);
  }
}

/** A container without a limit may be refused for that of its parent: not its own affair. */
function hasRefused({ cgroup }: Watched): boolean {
  try {
    return Number.isFinite(readLimit(cgroup)) && readRefused(cgroup) > 0;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false; // it is gone
    throw error;
  }
}
