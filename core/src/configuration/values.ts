import type { Phase } from '@caisson/plugin-sdk';

/** Steps of a launcher that have a time-out of their own. */
export type LauncherStep = 'fork' | 'release' | 'destroy';

/** `watch` is synchronous: nothing can interrupt it but a watchdog of the whole process. */
export type TimedStep = Exclude<Phase, 'watch'> | LauncherStep;

/** Milliseconds that each tap of a phase, or a step of the launcher, may take. */
export type Timeouts = Readonly<Record<TimedStep, number>>;

/** A launcher and the isolators that go with it. */
export interface Alternative {
  readonly launcher?: string | undefined;
  readonly isolation: readonly string[];
}

/** Options by isolator; a launcher's are below `launcher/<name>`. */
export type OptionsByName = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The settings, all of them. */
export interface ConfigurationValues {
  readonly isolation: readonly string[];
  /** Undefined: the one that the isolators require; `posix` if none requires any. */
  readonly launcher: string | undefined;
  /** Third-party packages; ours are found by their isolator's name. */
  readonly plugins: readonly string[];
  /** Checked by the schemas of isolators and launchers when these are loaded. */
  readonly options: OptionsByName;
  readonly workDir: string;
  readonly runtimeDir: string;
  readonly timeouts: Timeouts;
  /** The first that this host can run is taken. Empty if `isolation` says it. */
  readonly alternatives: readonly Alternative[];
}

/** A flag or variable that the core doesn't know and an enabled isolator may: kept until plugins are loaded. */
export interface UnclaimedFlag {
  readonly name: string;
  readonly value: string | boolean;
  readonly source: string;
  /** A flag that nobody claims is an error; a variable may be somebody else's. */
  readonly required: boolean;
}

/** A checked configuration. */
export interface Configuration {
  readonly values: ConfigurationValues;
  /**
   * Where each value comes from, by its path: `flag --isolation`, `variable CAISSON_WORK_DIR`, `file /etc/...`,
   * `default`.
   */
  readonly sources: Readonly<Record<string, string>>;
  /** The configuration file, if there is one. */
  readonly file: string | undefined;
  /** Packages are looked for from here, then from the agent's own folder. */
  readonly directory: string;
  readonly unclaimedFlags: readonly UnclaimedFlag[];
}
