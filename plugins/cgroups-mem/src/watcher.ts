import { isErrno } from '@caisson/linux';
import { type Cgroup, CgroupWatches, type StopWatching, watchEvent, watchFile } from '@caisson/linux/cgroups';
import type { ReportLimitation } from '@caisson/plugin-sdk';
import { eventsFile, limitationOf, reachedLimit, wasOutOfMemory } from './out-of-memory.js';

const PRESSURES = ['low', 'medium', 'critical'] as const;
export type PressureCounters = Record<(typeof PRESSURES)[number], number>;

interface Watched {
  readonly cgroup: Cgroup;
  /** Until a limitation is reported. */
  report: ReportLimitation | undefined;
  readonly pressures: PressureCounters | undefined;
}

type Reaper = Parameters<typeof watchFile>[2];

/** Listens to what the kernel tells of the memory of containers: that it is out, and how hard it is to reclaim. */
export class MemoryWatcher {
  readonly #watches = new CgroupWatches();
  readonly #watched = new Map<string, Watched>();

  /** Reports at once what happened while nobody watched: the agent may have been away. */
  watch(id: string, cgroup: Cgroup, report: ReportLimitation, countPressures: boolean): void {
    const counts = countPressures && cgroup.hierarchy.version === 1;
    const watched: Watched = {
      cgroup,
      report,
      pressures: counts ? { low: 0, medium: 0, critical: 0 } : undefined,
    };
    this.#watched.set(id, watched);
    this.#watches.set(id, (reaper, started) => {
      started.push(watchOutOfMemory(watched, reaper));
      watchPressures(watched, reaper, started);
    });
    settle(watched);
  }

  pressures(id: string): PressureCounters | undefined {
    return this.#watched.get(id)?.pressures;
  }

  /**
   * The container has ended, and its cgroup is about to go. Its first process may have been killed for want of memory, and its
   * end be known before the event was: this is the last time to say so.
   */
  stop(id: string): void {
    const watched = this.#watched.get(id);
    this.#watched.delete(id);
    this.#watches.stop(id);
    if (watched) settle(watched);
  }

  close(): void {
    this.#watches.stopAll();
    this.#watched.clear();
  }
}

function watchOutOfMemory(watched: Watched, reaper: Reaper): StopWatching {
  const { cgroup } = watched;
  if (cgroup.hierarchy.version === 2)
    return watchFile(cgroup, eventsFile(cgroup), reaper, () => settle(watched));
  // The event comes before anybody is killed, so no counter shows it yet. It also comes when the cgroup is removed.
  return watchEvent(cgroup, 'memory.oom_control', reaper, () => {
    if (cgroup.exists() && reachedLimit(cgroup)) tell(watched);
  });
}

function watchPressures({ cgroup, pressures }: Watched, reaper: Reaper, started: StopWatching[]): void {
  if (!pressures) return;
  const count = (pressure: keyof PressureCounters) => () => {
    pressures[pressure] += 1;
  };
  try {
    for (const each of PRESSURES)
      started.push(watchEvent(cgroup, 'memory.pressure_level', reaper, count(each), each));
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EOPNOTSUPP')) throw error; // a kernel for real time tells no pressure
  }
}

function settle(watched: Watched): void {
  try {
    if (watched.report && wasOutOfMemory(watched.cgroup)) tell(watched);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error; // the cgroup is gone
  }
}

function tell(watched: Watched): void {
  const { report } = watched;
  watched.report = undefined;
  report?.(limitationOf(watched.cgroup));
}
