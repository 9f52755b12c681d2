import type { Phase } from '@caisson/plugin-sdk';
import type { Configuration } from '../configuration/configuration.js';

/** A line of `caisson plugins`. */
export interface PluginReport {
  readonly kind: 'isolator' | 'launcher';
  readonly name: string;
  /** Such as `@caisson/namespaces-pid`; `@caisson/core` for the launcher `posix`. */
  readonly package: string;
  readonly version: string;
  readonly directory: string;
  /** The configuration (or the alternative taken) enables it. */
  readonly enabled: boolean;
  /** Phases tapped; empty if it cannot be built here. */
  readonly hooks: readonly Phase[];
  /** Whether this host can run it. */
  readonly usable: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
}

/** SKELETON, the types hold. Every isolator and launcher that is installed. */
export async function reportPlugins(_configuration: Configuration): Promise<PluginReport[]> {
  throw new Error('not yet');
}
