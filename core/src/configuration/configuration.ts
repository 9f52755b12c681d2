import type { Phase } from '@caisson/plugin-sdk';

/** Steps of a launcher that have a time-out of their own. */
export type LauncherStep = 'fork' | 'release' | 'destroy';

/** A launcher and the isolators that go with it. */
export interface Alternative {
  readonly launcher?: string | undefined;
  readonly isolation: readonly string[];
}

/** A checked configuration. */
export interface ConfigurationValues {
  readonly isolation: readonly string[];
  /** Default: the one that the isolators require; `posix` if none requires any. */
  readonly launcher: string | undefined;
  /** Third-party packages; ours are found by their isolator's name. */
  readonly plugins: readonly string[];
  /** By isolator; a launcher's are below `launcher/<name>`. Checked by their schemas when the plugins are loaded. */
  readonly options: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly workDir: string;
  readonly runtimeDir: string;
  /** Milliseconds that each tap of a phase, or a step of the launcher, may take. */
  readonly timeouts: Readonly<Record<Exclude<Phase, 'watch'> | LauncherStep, number>>;
  /** The first that this host can run is taken. Empty if `isolation` says it. */
  readonly alternatives: readonly Alternative[];
}

/** A value of a flag or an environment variable that an enabled plugin may know: kept until plugins are loaded. */
export interface UnclaimedFlag {
  readonly name: string;
  readonly value: string | boolean;
  readonly source: string;
}

export interface Configuration {
  readonly values: ConfigurationValues;
  /** Where each value comes from, by its path: `flag --isolation`, `environment CAISSON_WORK_DIR`, `/etc/caisson/...`, `default`. */
  readonly sources: Readonly<Record<string, string>>;
  /** The configuration file, if there is one. */
  readonly file: string | undefined;
  /** Packages are looked for from here, then from the agent's own folder. */
  readonly directory: string;
  readonly unclaimedFlags: readonly UnclaimedFlag[];
}

export interface LoadOptions {
  /** `--config`. */
  readonly file?: string | undefined;
  /** Where to look for a file. Default: the working directory. */
  readonly directory?: string | undefined;
  /** By name without `--`: `isolation`, `work-dir` or `work_dir` or `workDir`; `no-x` is `x: false`. */
  readonly flags?: Readonly<Record<string, string | boolean | readonly string[] | undefined>> | undefined;
  /** Default: process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** SKELETON, the types hold. */
export async function loadConfiguration(_options: LoadOptions = {}): Promise<Configuration> {
  throw new Error('not yet');
}

/** JSON Schema (draft 7) of a configuration file, with the options of the installed isolators. */
export async function configurationSchema(_configuration?: Configuration): Promise<Record<string, unknown>> {
  throw new Error('not yet');
}
