import type {
  ContainerConfig,
  ContainerId,
  ContainerPipes,
  ContainerStatus,
  ContainerTerminal,
  Logger,
  ResourceStatistics,
  Resources,
  Termination,
} from '@caisson/plugin-sdk';
import { LimitsSchema, ResourcesSchema } from '@caisson/plugin-sdk';
import { noteFilesystem } from '../checkpoints/state-file.js';
import type { Configuration } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { type PreparedGeneration, prepareGeneration } from '../plugin-host/prepare-generation.js';
import type { Selection } from '../plugin-host/selection.js';
import { randomUuid } from '../random.js';
import type { Core } from './core.js';
import { endContainer, writeLate } from './ending.js';
import { ContainerEvents, type ContainerListener } from './events.js';
import { Generations } from './generations.js';
import { type Home, openHome } from './home.js';
import { detailsOf, summaryOf } from './inspect.js';
import { launchContainer } from './launching.js';
import { ManagedContainer } from './managed-container.js';
import { placeOf } from './place.js';
import { recoverAll } from './recover-all.js';
import { recoverIsolators } from './recovery.js';
import { Registry } from './registry.js';
import { removeFiles } from './remove-files.js';
import { openOutputAt } from './sandbox-output.js';
import { statusOf, usageOf } from './statistics.js';
import { stderrLogger } from './stderr-logger.js';
import type { ContainerDetails, ContainerSummary, CreateOptions, LaunchedContainer } from './types.js';
import { checkResources, updateContainer } from './updating.js';
import { checkUser, validateLaunch } from './validate.js';
import { requireVolumeProviders } from './volumes.js';

/**
 * Owns containers: launches, watches, ends and recovers them. The isolators and the launcher of the configuration do
 * what isolates; this holds their order, their failures, and what must be on disk in between.
 */
export class Containerizer {
  readonly #registry = new Registry();
  readonly #events: ContainerEvents;
  readonly #core: Core;
  readonly #home: Home;
  /** Undefined where the first could not be made. */
  #generations!: Generations;
  #isClosed = false;

  private constructor(configuration: Configuration, log: Logger, transient: boolean) {
    this.#events = new ContainerEvents(log);
    this.#core = {
      log,
      transient,
      isClosed: false,
      unwritten: new Set(),
      emit: (event) => this.#events.emit(event),
    };
    this.#home = openHome(configuration.values, transient);
    noteFilesystem(this.#home.runtimeDir);
  }

  /**
   * Loads the plugins, checks all requirements together, and recovers what an earlier process has left.
   *
   * @throws what loading and checking throw, before anything is touched; DIRECTORY_IN_USE
   */
  static async create(configuration: Configuration, options: CreateOptions = {}): Promise<Containerizer> {
    const prepared = await prepareGeneration(configuration);
    await options.beforeClaim?.();
    return Containerizer.start(prepared, configuration, options);
  }

  /** With isolators that are not looked up by name. */
  static async start(
    prepared: PreparedGeneration,
    configuration: Configuration,
    { log = stderrLogger, transient = false }: CreateOptions = {},
  ): Promise<Containerizer> {
    const containerizer = new Containerizer(configuration, log, transient);
    try {
      await containerizer.#recover(prepared, configuration);
      return containerizer;
    } catch (error) {
      await containerizer.#giveUp();
      throw error;
    }
  }

  /** Of the last reload that was not refused. */
  get configuration(): Configuration {
    return this.#generations.configuration;
  }

  /** The launcher and the isolators of containers that are launched from now on. */
  get selection(): Selection {
    return this.#generations.last.selection;
  }

  /** Resolves once the command was executed. A failure leaves nothing, and names isolator, phase and container. */
  async launch(id: ContainerId | undefined, config: ContainerConfig): Promise<LaunchedContainer> {
    this.#requireOpen();
    const container = this.#begin(id ?? randomUuid(), config);
    container.launching = launchContainer(this.#core, container);
    try {
      await container.launching;
    } finally {
      if (container.termination && !container.launched) this.#registry.remove(container);
    }
    return { id: container.id, pid: container.pid!, sandbox: container.place.sandbox };
  }

  /** How the container ended, once it has: also for one that ended before, until `remove`. */
  async wait(id: ContainerId): Promise<Termination> {
    return this.#registry.find(id).ended;
  }

  /** Sends a signal to the first process. One that isn't forked yet is destroyed. False if the container has ended. */
  signal(id: ContainerId, signal: number): boolean {
    this.#requireOpen();
    if (!Number.isInteger(signal) || signal < 1 || signal > 64) throw coreErrors.SIGNAL_INVALID(signal);
    const container = this.#registry.find(id);
    if (container.state === 'ENDED') return false;
    if (container.process) return container.process.signal(signal);
    this.destroy(id).catch(() => {}); // reported by ending.ts
    return true;
  }

  /** Ends every process and undoes everything. Of one that has ended: how. */
  async destroy(id: ContainerId): Promise<Termination> {
    this.#requireOpen();
    return endContainer(this.#core, this.#registry.find(id), { reason: 'DESTROYED' });
  }

  /** Forgets an ended container and those nested in it, and deletes their files; `keepSandbox` leaves the sandbox. */
  async remove(id: ContainerId, { keepSandbox = false }: { keepSandbox?: boolean } = {}): Promise<void> {
    this.#requireOpen();
    const container = this.#registry.find(id);
    if (container.state !== 'ENDED') throw coreErrors.CONTAINER_NOT_ENDED(id, container.state);
    this.#core.unwritten.delete(container);
    container.removing ??= removeFiles(container.place, keepSandbox);
    try {
      await container.removing;
    } finally {
      container.removing = undefined;
    }
    for (const each of [...this.#registry.containers.values()])
      if (each === container || each.id.startsWith(`${id}.`)) this.#registry.remove(each);
    this.#core.emit({ type: 'removed', id });
  }

  /** Changes the allocation. A failure names the isolators that did not follow; the others keep what they did. */
  async update(id: ContainerId, resources: Resources, limits?: Resources): Promise<void> {
    this.#requireOpen();
    const container = this.#registry.find(id);
    await updateContainer(this.#core, container, {
      resources: checkResources(id, ResourcesSchema, resources),
      limits: checkResources(id, LimitsSchema, limits ?? container.limits),
    });
  }

  /** What isolators measure; what one fails to tell is left out and logged. */
  async usage(id: ContainerId): Promise<ResourceStatistics> {
    return usageOf(this.#findAlive(id), this.#core.log);
  }

  async status(id: ContainerId): Promise<ContainerStatus> {
    return statusOf(this.#findAlive(id), this.#core.log);
  }

  inspect(id: ContainerId): ContainerDetails {
    return detailsOf(this.#registry.find(id));
  }

  /** Every container that is known, in the order in which they began. */
  list(): ContainerSummary[] {
    return [...this.#registry.containers.values()].map(summaryOf);
  }

  terminal(id: ContainerId): ContainerTerminal | undefined {
    return this.#registry.find(id).process?.terminal;
  }

  pipes(id: ContainerId): ContainerPipes | undefined {
    return this.#registry.find(id).process?.pipes;
  }

  /**
   * `stdout` or `stderr` of its sandbox, to read and write, for whoever takes what a container writes to its terminal or pipes.
   * The caller closes it.
   *
   * @throws SANDBOX_REFUSED  the container has put something else there
   */
  openOutput(id: ContainerId, name: 'stdout' | 'stderr'): number {
    const { place, user } = this.#registry.find(id);
    return openOutputAt(place, name, user);
  }

  /** Calls the listener for each event from now on; returns what ends that. */
  onEvent(listener: ContainerListener): () => void {
    return this.#events.add(listener);
  }

  /**
   * A new generation for containers launched from then on; those that run keep theirs. A configuration that cannot run
   * is refused, and the old one goes on. The directories cannot change.
   */
  async reload(configuration: Configuration): Promise<Selection> {
    return this.reloadWith(await prepareGeneration(configuration), configuration);
  }

  async reloadWith(prepared: PreparedGeneration, configuration: Configuration): Promise<Selection> {
    this.#requireOpen();
    await this.#generations.replace(prepared, configuration, (next) =>
      recoverIsolators(this.#core, next, { running: [], ending: [] }),
    );
    return this.selection;
  }

  /** The isolator whose code an error came from, for what nobody handled: `unhandledRejection` names it (K2). */
  isolatorOf(error: unknown): string | undefined {
    return this.#generations.isolatorOf(error);
  }

  /** Gives back what this process holds. Containers go on, for the next one to take up; of a transient one they end. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const open = [...this.#registry.containers.values()].filter(({ state }) => state !== 'ENDED');
    await Promise.allSettled(open.flatMap(({ launching, ending }) => [launching, ending]));
    if (this.#core.transient) await this.#endAll(open);
    for (const container of [...this.#core.unwritten]) writeLate(this.#core, container);
    this.#core.isClosed = true;
    for (const { retry, process } of this.#registry.containers.values()) {
      clearTimeout(retry);
      // It goes on; what we know it by is given back.
      process?.close();
    }
    await this.#giveUp();
  }

  #begin(text: string, input: ContainerConfig): ManagedContainer {
    const { id, config, parent } = validateLaunch(text, input, this.#registry.containers);
    const generation = parent?.generation ?? this.#generations.last;
    requireVolumeProviders(id, generation.isolators, config, parent !== undefined);
    const complete = this.#core.transient ? { ...config, dieWithParent: true } : config;
    const user = checkUser(generation.launcher.validate(complete));
    const container = new ManagedContainer({
      place: placeOf(id, this.#home, parent?.place),
      config: complete,
      user,
      generation,
      parent,
      createdAt: Date.now(),
      launcher: generation.launcherName,
      isolation: [...generation.isolation],
    });
    this.#registry.add(container);
    generation.enter();
    parent?.children.add(container);
    this.#core.emit({ type: 'state', id, state: 'PREPARING' });
    return container;
  }

  /** What was given back is another owner's by now. */
  #requireOpen(): void {
    if (this.#isClosed) throw coreErrors.CONTAINERIZER_CLOSED();
  }

  #findAlive(id: ContainerId): ManagedContainer {
    const container = this.#registry.find(id);
    if (container.state === 'ENDED') throw coreErrors.CONTAINER_NOT_RUNNING(id, 'ENDED');
    return container;
  }

  async #recover(prepared: PreparedGeneration, configuration: Configuration): Promise<void> {
    const [core, home, registry] = [this.#core, this.#home, this.#registry];
    this.#generations = new Generations(core, this.#events, home, registry, prepared, configuration);
    await recoverAll(core, this.#generations.last, home, registry);
  }

  async #endAll(containers: readonly ManagedContainer[]): Promise<void> {
    const cause = { reason: 'DESTROYED', message: 'the process that launched it ends' };
    const outermost = containers.filter(({ parent }) => !parent);
    await Promise.allSettled(outermost.map((each) => endContainer(this.#core, each, cause)));
    const ended = [...this.#registry.containers.values()].filter(
      ({ state, place }) => state === 'ENDED' && !place.isNested,
    );
    await Promise.allSettled(ended.map(({ place }) => removeFiles(place)));
  }

  async #giveUp(): Promise<void> {
    await this.#generations?.close();
    this.#home.release();
  }
}
