import { type Clock, type Container, type Logger, messageOf } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';
import { quotaGauge } from '../gauges.js';
import type { PosixDiskOptions } from '../options.js';
import type { Gauge } from '../tracked-directory.js';
import { findQuotaMeter } from './find-meter.js';
import type { Account, QuotaMeter } from './meter.js';

const MIB = 2 ** 20;

export interface AccountsSettings {
  readonly options: PosixDiskOptions;
  /** Where sandboxes are. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The accounts that sandboxes have with their filesystem, if it keeps any and this is wanted. */
export class QuotaAccounts {
  readonly #meter: QuotaMeter | undefined;

  /** @throws QUOTA_UNAVAILABLE  the filesystem keeps none, and nothing else will do */
  constructor(private readonly settings: AccountsSettings) {
    const { options, directory, log } = settings;
    if (options.meter === 'du') return;
    const found = this.#find({ limitsFiles: options.enforceQuota && options.maxFiles > 0 });
    if (typeof found !== 'string') this.#meter = found;
    else if (options.meter === 'quota') throw errors.QUOTA_UNAVAILABLE(directory, found);
    else log.info({ directory, reason: found }, 'disk usage is measured by du');
  }

  /**
   * For a sandbox at the top; what is nested is in its parent's, and counted there. Undefined: it is to be walked.
   *
   * @param disk  its quota in MiB; undefined: neither limited nor measured
   */
  open(
    container: Container,
    disk: number | undefined,
    isTaken: (account: Account) => boolean,
  ): Account | undefined {
    if (!this.#meter || disk === undefined || container.parentId !== undefined) return undefined;
    try {
      return this.#meter.open(container, isTaken);
    } catch (error) {
      if (this.settings.options.meter === 'quota') throw error;
      this.settings.log.warn(
        { container: container.id, error: messageOf(error) },
        'its sandbox is measured by du',
      );
      return undefined;
    }
  }

  limit(account: Account | undefined, disk: number | undefined): void {
    if (!this.#meter || !account) return;
    const { enforceQuota, maxFiles } = this.settings.options;
    const bytes = disk === undefined ? undefined : Math.round(disk * MIB);
    this.#meter.limit(account, enforceQuota ? { bytes, files: maxFiles } : { bytes: undefined, files: 0 });
  }

  /** The account that a container was launched with, if this configuration goes on with it; else its limits are taken away. */
  recover(id: string, account: Account | undefined): Account | undefined {
    if (!account || this.#meter?.kind === account.kind) return account;
    this.settings.log.info(
      { container: id, meter: account.kind },
      'its sandbox is measured by du from now on',
    );
    const former = this.#find({ limitsFiles: false });
    if (typeof former === 'string') return undefined;
    try {
      former.close(account);
    } finally {
      former.end();
    }
    return undefined;
  }

  gaugeOf(account: Account | undefined): Gauge | undefined {
    if (!this.#meter || !account) return undefined;
    const { watchInterval: maxAgeMs, enforceQuota: kernelRefuses } = this.settings.options;
    return quotaGauge(this.#meter, account, { maxAgeMs, kernelRefuses });
  }

  close(account: Account | undefined): void {
    if (account) this.#meter?.close(account);
  }

  end(): void {
    this.#meter?.end();
  }

  #find({ limitsFiles }: { limitsFiles: boolean }): QuotaMeter | string {
    const { options, directory, clock } = this.settings;
    return findQuotaMeter({ directory, projectIds: options.projectIds, limitsFiles, clock });
  }
}
