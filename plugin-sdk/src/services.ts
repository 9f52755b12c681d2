/**
 * Services that the host hands to isolators and launchers through their constructors:
 *
 *     constructor(@inject(IsolatorOptions) private readonly options: MyOptions, @inject(Logger) private readonly log: Logger) {}
 *
 * A token and its type bear one name. Tokens are `Symbol.for`, so two copies of this package share them.
 */

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
export const Logger = Symbol.for('caisson.Logger');

/** The isolator's (or launcher's) own options, validated and defaulted by its schema. */
export const IsolatorOptions = Symbol.for('caisson.IsolatorOptions');

/** Time for intervals: monotonic, so that a changed wall clock fires nothing early or late. */
export interface Clock {
  /** Milliseconds since an arbitrary start. */
  monotonicMs(): number;
  /** Milliseconds since the epoch: for people only. */
  wallMs(): number;
}
export const Clock = Symbol.for('caisson.Clock');

/** A small store per isolator and container that survives a restart; values are JSON. */
export interface Checkpoints {
  get(containerId: string): unknown;
  /** On disk when it returns: temporary file, fsync, rename, directory fsync. */
  set(containerId: string, value: unknown): void;
  delete(containerId: string): void;
}
export const Checkpoints = Symbol.for('caisson.Checkpoints');

/** Where things are and what runs: what an isolator may know of its host. */
export interface HostEnvironment {
  readonly workDir: string;
  readonly runtimeDir: string;
  /** Names of the enabled isolators, in order. */
  readonly isolation: readonly string[];
  readonly launcher: string;
}
export const HostEnvironment = Symbol.for('caisson.HostEnvironment');

/** On Linux with the launcher `linux`: the cgroup hierarchies of this host (`Cgroups` of @caisson/linux). */
export const Cgroups = Symbol.for('caisson.Cgroups');

/** On Linux with the launcher `linux`: the mount table of this host (`Mounts` of @caisson/linux). */
export const Mounts = Symbol.for('caisson.Mounts');
