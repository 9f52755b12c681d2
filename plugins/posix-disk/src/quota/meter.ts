import type { Container } from '@caisson/plugin-sdk';
import type { Found } from '../measurement.js';

/** How a filesystem knows a sandbox: JSON, checkpointed. */
export type Account =
  | { readonly kind: 'btrfs'; readonly subvolume: number }
  | { readonly kind: 'project'; readonly project: number };

export interface Limits {
  /** Undefined: as much as it likes. */
  readonly bytes: number | undefined;
  /** 0: as many as it likes. */
  readonly files: number;
}

/** A filesystem that counts what a sandbox has, so that nothing is walked, and can refuse what is too much. */
export interface QuotaMeter {
  readonly kind: Account['kind'];
  /**
   * Makes an empty sandbox something that the filesystem counts.
   * @param isTaken  accounts that other containers have
   * @throws QUOTA_SANDBOX_USED, PROJECT_IDS_EXHAUSTED; SyscallError
   */
  open(container: Container, isTaken: (account: Account) => boolean): Account;
  /** Changes what the kernel allows. @throws SyscallError */
  limit(account: Account, limits: Limits): void;
  /** @param maxAgeMs  how old the figure may be, where a fresh one has its price */
  read(account: Account, maxAgeMs: number): Promise<Found & { readonly atMs: number }>;
  /** Takes the limits away. What the sandbox has stays counted. Accepts an account that is gone. */
  close(account: Account): void;
  /** Gives back descriptors. */
  end(): void;
}
