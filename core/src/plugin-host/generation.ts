import {
  Checkpoints,
  Clock,
  HostEnvironment,
  InjectionContainer,
  type Isolator,
  IsolatorOptions,
  isCaissonError,
  type Launcher,
  Logger,
  messageOf,
  type ServiceDefinition,
  type VolumeKind,
} from '@caisson/plugin-sdk';
import type { Timeouts } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { type PhaseObserver, Phases } from '../hooks/phases.js';
import { collectTaps } from '../hooks/register.js';
import { attributed } from '../hooks/tap.js';
import { systemClock } from '../system-clock.js';
import type { LoadedPlugin } from './load-plugin.js';
import { type CheckedOptions, launcherOptionsKey } from './options.js';
import type { PluginSet, Selection } from './selection.js';

/** What the core gives to the plugins of a generation. */
export interface GenerationHost {
  readonly log: Logger;
  readonly environment: HostEnvironment;
  readonly timeouts: Timeouts;
  readonly observer: PhaseObserver;
  /** The store of one isolator, launcher or service. */
  checkpointsFor(owner: string): Checkpoints;
}

interface IsolatorInfo {
  readonly name: string;
  readonly package: string;
  readonly supportsNesting: boolean;
  readonly volumes: readonly VolumeKind[];
}

/**
 * A set of isolators with their options and hooks, and a launcher: what a container keeps from its launch to its end,
 * also when the configuration is reloaded meanwhile. One inversify container, and below it a scope for each isolator,
 * that holds what is the isolator's alone.
 *
 * A generation ends with its last container, once it is not the current one any more.
 */
export class Generation {
  readonly isolators: readonly IsolatorInfo[];
  readonly isolation: ReadonlySet<string>;
  readonly launcherName: string;
  readonly launcher: Launcher;
  readonly phases: Phases;
  readonly timeouts: Timeouts;
  readonly #services: readonly unknown[];
  readonly #directories: readonly (readonly [directory: string, isolator: string])[];
  #containers = 0;
  #retired = false;
  #closing: Promise<void> | undefined;

  /** @throws PLUGIN_START_FAILED, TAP_REFUSED, NAME_BROUGHT_TWICE; then everything created is closed again */
  static create(
    set: PluginSet,
    selection: Selection,
    options: CheckedOptions,
    host: GenerationHost,
  ): Generation {
    const scopes = new Scopes(set, host);
    try {
      return new Generation(set, selection, options, host, scopes);
    } catch (error) {
      void closeAll(scopes.created, host.log);
      throw error;
    }
  }

  private constructor(
    set: PluginSet,
    readonly selection: Selection,
    options: CheckedOptions,
    private readonly host: GenerationHost,
    scopes: Scopes,
  ) {
    this.launcherName = set.launcher.name;
    this.timeouts = host.timeouts;
    const key = launcherOptionsKey(set.launcher.name);
    this.launcher = scopes.build<Launcher>(
      'launcher',
      key,
      set.launcher.definition.implementation,
      options.get(key),
    );
    const instances = set.isolators.map(({ name, definition }) => ({
      name,
      supportsNesting: definition.supportsNesting ?? false,
      instance: scopes.build<Isolator>('isolator', name, definition.implementation, options.get(name)),
    }));
    this.isolators = set.isolators.map(({ name, definition, plugin }) => ({
      name,
      package: plugin.package.name,
      supportsNesting: definition.supportsNesting ?? false,
      volumes: definition.volumes ?? [],
    }));
    this.isolation = new Set(selection.isolation);
    this.phases = new Phases(collectTaps(instances), host.timeouts, host.observer);
    this.#services = scopes.created;
    this.#directories = set.isolators.map(({ name, plugin }) => [plugin.package.directory, name] as const);
  }

  /** A container begins with this generation. */
  enter(): void {
    this.#containers += 1;
  }

  leave(): void {
    this.#containers -= 1;
    void this.#closeIfUnused();
  }

  /** No container begins with it any more. */
  retire(): void {
    this.#retired = true;
    void this.#closeIfUnused();
  }

  /** Gives back what launcher and services hold, also while containers go on without this process. */
  close(): Promise<void> {
    this.#closing ??= closeAll(this.#services, this.host.log);
    return this.#closing;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** The isolator whose package an error's stack leads through: for rejections that nobody handled (K2). */
  isolatorIn(stack: string): string | undefined {
    return this.#directories.find(([directory]) => stack.includes(`${directory}/`))?.[1];
  }

  async #closeIfUnused(): Promise<void> {
    if (this.#retired && this.#containers === 0) await this.close();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: inversify builds the class from its @inject decorators
type Implementation<T> = new (...args: any[]) => T;

/** Builds classes, each with what is its own beside what all share. */
class Scopes {
  /** Everything that inversify created, in order. */
  readonly created: unknown[] = [];
  readonly #shared = new InjectionContainer({ defaultScope: 'Singleton' });

  constructor(
    set: PluginSet,
    private readonly host: GenerationHost,
  ) {
    this.#shared.bind(Clock).toConstantValue(systemClock);
    this.#shared.bind(HostEnvironment).toConstantValue(host.environment);
    this.#shared.bind(Logger).toConstantValue(host.log);
    for (const service of servicesOf(set))
      this.#shared
        .bind(service.token)
        .to(service.implementation)
        .onActivation((_context: unknown, instance: unknown) => this.#remember(instance));
  }

  build<T>(kind: string, name: string, implementation: Implementation<T>, options: unknown): T {
    try {
      const scope = new InjectionContainer({ parent: this.#shared, defaultScope: 'Singleton' });
      scope.bind(IsolatorOptions).toConstantValue(options);
      scope.bind(Checkpoints).toConstantValue(this.host.checkpointsFor(name));
      scope.bind(Logger).toConstantValue(loggerOf(this.host.log, kind, name));
      scope.bind(implementation).toSelf();
      return this.#remember(scope.get<T>(implementation) as T);
    } catch (error) {
      const wrapped = coreErrors.PLUGIN_START_FAILED(kind, name, messageOf(error));
      throw isCaissonError(error) ? attributed(wrapped, error, { [kind]: name }) : wrapped;
    }
  }

  #remember<T>(instance: T): T {
    this.created.push(instance);
    return instance;
  }
}

/** @throws NAME_BROUGHT_TWICE */
function servicesOf({ isolators, launcher }: PluginSet): ServiceDefinition[] {
  const plugins = new Set<LoadedPlugin>([launcher.plugin, ...isolators.map(({ plugin }) => plugin)]);
  const byToken = new Map<symbol, { service: ServiceDefinition; from: string }>();
  for (const { definition, package: from } of plugins)
    for (const service of definition.services ?? []) {
      const before = byToken.get(service.token);
      if (before)
        throw coreErrors.NAME_BROUGHT_TWICE('service', String(service.token.description), [
          before.from,
          from.name,
        ]);
      byToken.set(service.token, { service, from: from.name });
    }
  return [...byToken.values()].map(({ service }) => service);
}

/** Every line says whose it is. */
function loggerOf(log: Logger, kind: string, name: string): Logger {
  const label = { [kind]: name.replace(/^launcher\//, '') };
  return {
    debug: (fields, message) => log.debug({ ...label, ...fields }, message),
    info: (fields, message) => log.info({ ...label, ...fields }, message),
    warn: (fields, message) => log.warn({ ...label, ...fields }, message),
    error: (fields, message) => log.error({ ...label, ...fields }, message),
  };
}

/** In reverse: what was created last may use what was there before. */
async function closeAll(instances: readonly unknown[], log: Logger): Promise<void> {
  for (const instance of instances.toReversed()) {
    try {
      await (instance as { close?: () => unknown } | undefined)?.close?.();
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'a plugin did not close');
    }
  }
}
