import {
  type Clock,
  formatBytes,
  type Limitation,
  type Logger,
  messageOf,
  type ReportLimitation,
} from '@caisson/plugin-sdk';
import { isHeldToQuota, type MeasuredDirectory, quotaBytes, resourcesOf, SANDBOX } from './directories.js';
import { excessOf, isNear } from './judge.js';
import type { Found, Measurement } from './measurement.js';
import type { Task } from './schedule.js';

export interface TrackingSettings {
  readonly enforceQuota: boolean;
  readonly gracePeriodMs: number;
  readonly warnAt: number;
  readonly maxFiles: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Logger;
}

export interface Gauge {
  /** Such as `du`. */
  readonly name: string;
  /** It takes the longer the more there is. */
  readonly walks: boolean;
  /** The kernel refuses what is too much, so that nobody need be stopped for it. */
  readonly kernelRefuses: boolean;
  read(
    directory: MeasuredDirectory,
    signal: AbortSignal,
  ): Promise<Found & { readonly atMs?: number | undefined }>;
}

/** A measurement that failed, and has failed since. */
interface Failure {
  readonly message: string;
  readonly count: number;
}

/** One directory of a container: what was measured, and what follows from it. */
export class TrackedDirectory implements Task {
  last: Measurement | undefined;
  failure: Failure | undefined;
  /** Whom to tell that the container must be stopped; undefined until it is watched, and once it was told. */
  report: ReportLimitation | undefined;
  onPaceChanged: ((isSlow: boolean) => void) | undefined;
  #exceededSinceMs: number | undefined;
  #warned = false;

  constructor(
    private readonly id: string,
    public directory: MeasuredDirectory,
    readonly gauge: Gauge,
    private readonly settings: TrackingSettings,
  ) {}

  async measure(signal: AbortSignal): Promise<void> {
    const { clock } = this.settings;
    const startMs = clock.monotonicMs();
    try {
      const { atMs = startMs, ...found } = await this.gauge.read(this.directory, signal);
      // A quota that was changed meanwhile counts as it is now.
      this.last = { ...found, atMs, durationMs: clock.monotonicMs() - startMs };
      this.failure = undefined;
      this.#judge(this.last);
    } catch (error) {
      if (!signal.aborted) this.#fail(messageOf(error));
    }
  }

  get #name(): { volume?: string } {
    const { volume } = this.directory;
    return volume ? { volume: volume.persistence.id } : {};
  }

  #fail(message: string): void {
    const { log } = this.settings;
    if (!this.failure)
      log.warn({ container: this.id, ...this.#name, error: message }, 'its disk usage cannot be measured');
    this.failure = { message, count: (this.failure?.count ?? 0) + 1 };
  }

  #judge(found: Measurement): void {
    const allowed = { bytes: quotaBytes(this.directory), files: this.#maxFiles };
    const excess = excessOf(found, allowed);
    this.#warn(found, isNear(found, allowed, this.settings.warnAt));
    if (excess === undefined || !this.#mayStop(found)) this.#exceededSinceMs = undefined;
    else this.#exceed(excess);
  }

  get #maxFiles(): number {
    return this.directory.key === SANDBOX ? this.settings.maxFiles : 0;
  }

  /** Where the kernel holds the quota, only for what it doesn't hold. */
  #mayStop({ unboundBytes = 0 }: Found): boolean {
    if (!this.settings.enforceQuota || !isHeldToQuota(this.directory)) return false;
    return !this.gauge.kernelRefuses || unboundBytes > 0;
  }

  #exceed(message: string): void {
    const now = this.settings.clock.monotonicMs();
    this.#exceededSinceMs ??= now;
    if (!this.report || now - this.#exceededSinceMs < this.settings.gracePeriodMs) return;
    const report = this.report;
    this.report = undefined;
    const limitation: Limitation = {
      reason: 'REASON_CONTAINER_LIMITATION_DISK',
      message,
      resources: resourcesOf(this.directory),
    };
    report(limitation);
  }

  #warn({ usedBytes, files }: Found, isNearQuota: boolean): void {
    if (isNearQuota && !this.#warned)
      this.settings.log.warn(
        {
          container: this.id,
          ...this.#name,
          used: formatBytes(usedBytes),
          quota: formatBytes(quotaBytes(this.directory)),
          ...(this.#maxFiles > 0 && { files, maxFiles: this.#maxFiles }),
        },
        'its disk usage is near its quota',
      );
    this.#warned = isNearQuota;
  }
}
