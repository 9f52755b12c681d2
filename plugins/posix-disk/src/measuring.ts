import type { Clock, Logger } from '@caisson/plugin-sdk';
import { SANDBOX } from './directories.js';
import { DuMeter } from './du/du-meter.js';
import { duGauge } from './gauges.js';
import { findProgram } from './host.js';
import type { PosixDiskOptions } from './options.js';
import { Schedule } from './schedule.js';
import { TrackedContainer } from './tracked-container.js';
import { type Gauge, TrackedDirectory, type TrackingSettings } from './tracked-directory.js';

/** What takes longer than this has the slow places. */
const SLOW_AFTER_MS = 2000;
/** A container that lives shorter is never measured; one that is looked at soon after its start is. */
const LATEST_FIRST_MS = 1000;
/** Less than the core gives `usage`. */
const PATIENCE_MS = 2000;

export interface TrackSettings {
  readonly id: string;
  /** Of the sandbox; undefined: du. */
  readonly gauge: Gauge | undefined;
  /** Where in the sandbox there may be volumes. */
  volumePaths(): readonly string[];
  readonly isSlow: boolean;
  onPaceChanged(isSlow: boolean): void;
}

/** Everything that is measured, and when. */
export class Measuring {
  readonly #schedule: Schedule;
  readonly #du: DuMeter;
  readonly #tracking: TrackingSettings;

  constructor(private readonly settings: { options: PosixDiskOptions; clock: Clock; log: Logger }) {
    const { options, clock, log } = settings;
    this.#schedule = new Schedule({
      intervalMs: options.watchInterval,
      parallel: options.parallelMeasurements,
      slowAfterMs: SLOW_AFTER_MS,
    });
    this.#du = new DuMeter(findProgram('du') ?? 'du', options.measurementTimeout);
    this.#tracking = {
      enforceQuota: options.enforceQuota,
      gracePeriodMs: options.gracePeriod,
      warnAt: options.warnAt,
      maxFiles: options.maxFiles,
      clock,
      log,
    };
  }

  track({ id, gauge, volumePaths, isSlow, onPaceChanged }: TrackSettings): TrackedContainer {
    const { watchInterval, maxFiles } = this.settings.options;
    const walking = duGauge(this.#du, { countFiles: maxFiles > 0, volumePaths });
    return new TrackedContainer({
      schedule: this.#schedule,
      firstInMs: Math.min(watchInterval, LATEST_FIRST_MS),
      patienceMs: PATIENCE_MS,
      isSlow,
      onPaceChanged,
      track: (directory) => {
        const gaugeOfIt = directory.key === SANDBOX ? (gauge ?? walking) : walking;
        return new TrackedDirectory(id, directory, gaugeOfIt, this.#tracking);
      },
    });
  }

  close(): Promise<void> {
    return this.#schedule.close();
  }
}
