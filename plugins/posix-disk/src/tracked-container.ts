import type { ReportLimitation } from '@caisson/plugin-sdk';
import type { MeasuredDirectory } from './directories.js';
import type { Schedule, Scheduled } from './schedule.js';
import type { TrackedDirectory } from './tracked-directory.js';

export interface TrackedContainerSettings {
  readonly schedule: Schedule;
  /** How soon after its start a container is measured: one that has ended by then costs nothing. */
  readonly firstInMs: number;
  /** How long someone who asks for a usage that was never measured waits for it. */
  readonly patienceMs: number;
  track(directory: MeasuredDirectory): TrackedDirectory;
  /** The sandbox takes du long, or no longer. */
  onPaceChanged(isSlow: boolean): void;
  readonly isSlow: boolean;
}

interface Entry {
  readonly tracked: TrackedDirectory;
  scheduled: Scheduled | undefined;
}

/** What of one container is measured, from its start to its end. */
export class TrackedContainer {
  readonly #entries = new Map<string, Entry>();
  #report: ReportLimitation | undefined;

  constructor(private readonly settings: TrackedContainerSettings) {}

  get directories(): TrackedDirectory[] {
    return [...this.#entries.values()].map(({ tracked }) => tracked);
  }

  /** What is new is measured from now on, what is there already gets its new quota, what is gone is no longer measured. */
  async set(directories: readonly MeasuredDirectory[]): Promise<void> {
    for (const directory of directories) {
      const known = this.#entries.get(directory.key);
      if (known) this.#change(known, directory);
      else this.#add(directory);
    }
    const keys = new Set(directories.map(({ key }) => key));
    const gone = [...this.#entries].filter(([key]) => !keys.has(key));
    await Promise.all(gone.map(([key, entry]) => this.#remove(key, entry)));
  }

  watch(report: ReportLimitation): void {
    // The first that exceeds its quota ends the container.
    this.#report = report;
    for (const entry of this.#entries.values()) this.#start(entry);
  }

  /** Fresh figures where they are cheap, the last ones elsewhere; the first is worth waiting for. */
  async refresh(): Promise<void> {
    const refreshing = [...this.#entries.values()].map(async ({ tracked, scheduled }) => {
      if (!tracked.gauge.walks) await tracked.measure(new AbortController().signal);
      else if (scheduled && !tracked.last && !tracked.failure) await this.#patiently(scheduled);
    });
    await Promise.all(refreshing);
  }

  async end(): Promise<void> {
    this.#report = undefined;
    await Promise.all([...this.#entries].map(([key, entry]) => this.#remove(key, entry)));
  }

  #add(directory: MeasuredDirectory): void {
    const tracked = this.settings.track(directory);
    tracked.onPaceChanged = this.settings.onPaceChanged;
    const entry: Entry = { tracked, scheduled: undefined };
    this.#entries.set(directory.key, entry);
    if (this.#report) this.#start(entry);
  }

  #start(entry: Entry): void {
    const { schedule, firstInMs, isSlow } = this.settings;
    entry.tracked.report = this.#report;
    entry.scheduled ??= schedule.add(entry.tracked, firstInMs, isSlow);
  }

  #change({ tracked, scheduled }: Entry, directory: MeasuredDirectory): void {
    tracked.directory = directory;
    if (scheduled) void this.settings.schedule.soon(scheduled);
  }

  async #remove(key: string, { tracked, scheduled }: Entry): Promise<void> {
    tracked.report = undefined;
    this.#entries.delete(key);
    if (scheduled) await this.settings.schedule.remove(scheduled);
  }

  async #patiently(scheduled: Scheduled): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.settings.patienceMs);
    });
    await Promise.race([this.settings.schedule.soon(scheduled), patience]);
    clearTimeout(timer);
  }
}
