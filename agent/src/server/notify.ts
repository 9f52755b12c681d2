/**
 * What the service manager is told (sd_notify(3)): READY, RELOADING, STOPPING, and every half of WatchdogSec that the
 * event loop turns (threat model K2).
 *
 * Node has no datagram socket for Unix paths, and a native module for this alone is not worth its weight: systemd's own
 * systemd-notify(1) sends them. So the unit says `NotifyAccess=all`, since the message comes from a child.
 */
import { spawn } from 'node:child_process';
import type { Logger } from '@caisson/plugin-sdk';

type Environment = Readonly<Record<string, string | undefined>>;

export class ServiceManager {
  readonly #isThere: boolean;
  #watchdog: NodeJS.Timeout | undefined;
  #isSilent = false;

  constructor(
    private readonly log: Logger,
    private readonly environment: Environment = process.env,
  ) {
    this.#isThere = environment.NOTIFY_SOCKET !== undefined;
  }

  ready(status: string): void {
    this.#tell('--ready', `--status=${status}`);
    const { WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = this.environment;
    if (!usec || (pid !== undefined && pid !== String(process.pid))) return;
    this.#watchdog ??= setInterval(() => this.#tell('WATCHDOG=1'), Number(usec) / 2000).unref();
  }

  reloading(): void {
    this.#tell('--reloading');
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    this.#tell('--stopping');
  }

  /** Nobody waits for it: a manager that can't be told is no reason to stop. */
  #tell(...message: string[]): void {
    if (!this.#isThere) return;
    const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...message], {
      stdio: 'ignore',
      env: this.environment,
    });
    child.once('error', (error) => {
      if (!this.#isSilent) this.log.warn({ error: error.message }, 'the service manager cannot be told');
      this.#isSilent = true;
    });
  }
}
