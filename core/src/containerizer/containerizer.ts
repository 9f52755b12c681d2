import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import {
  type ContainerConfig,
  type ContainerId,
  type ContainerStatus,
  type ContainerTerminal,
  type Logger,
  messageOf,
  parentOf,
  type ResourceStatistics,
  type Resources,
  ResourcesSchema,
  type Termination,
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { IsolatorStore } from '../checkpoints/isolator-store.js';
import { writeRecord } from '../checkpoints/record.js';
import type { Configuration } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { combined, type PhaseObserver } from '../hooks/phases.js';
import type { Generation } from '../plugin-host/generation.js';
import { type PreparedGeneration, prepareGeneration } from '../plugin-host/prepare-generation.js';
import type { Selection } from '../plugin-host/selection.js';
import { parseStrictly } from '../schema-problems.js';
import type { Core } from './core.js';
import { endContainer } from './ending.js';
import { ContainerEvents, type ContainerListener } from './events.js';
import { claimAbandonedRuns, type Home, openHome } from './home.js';
import { detailsOf, summaryOf } from './inspect.js';
import { launchContainer } from './launching.js';
import { ManagedContainer } from './managed-container.js';
import { placeOf, type StateDirectories } from './place.js';
import { endTheRest, planRecovery, recoverIsolators, resume } from './recovery.js';
import { removeFiles } from './remove-files.js';
import { scan } from './scan.js';
import { statusOf, usageOf } from './statistics.js';
import { stderrLogger } from './stderr-logger.js';
import type { ContainerDetails, ContainerSummary, CreateOptions, LaunchedContainer } from './types.js';
import { checkUser, validateLaunch } from './validate.js';

/**
 * Owns containers: launches, watches, ends and recovers them. The isolators and the launcher of the configuration do
 * what isolates; this holds their order, their failures, and what must be on disk in between.
 */
export class Containerizer {
  readonly #containers = new Map<ContainerId, ManagedContainer>();
  /** Where isolators keep what they remember: of containers of dead runs too, while these are undone. */
  readonly #directories = new Map<ContainerId, string>();
  readonly #events: ContainerEvents;
  readonly #core: Core;
  readonly #home: Home;
  #generation!: Generation;
  #isClosed = false;

  private constructor(
    readonly configuration: Configuration,
    log: Logger,
    transient: boolean,
  ) {
    this.#events = new ContainerEvents(log);
    this.#core = { log, transient, emit: (event) => this.#events.emit(event) };
    this.#home = openHome(configuration.values, transient);
  }

  /**
   * Loads the plugins, checks all requirements together, and recovers what an earlier process has left.
   *
   * @throws what loading and checking throw, before anything is touched; DIRECTORY_IN_USE
   */
  static async create(configuration: Configuration, options: CreateOptions = {}): Promise<Containerizer> {
    return Containerizer.start(await prepareGeneration(configuration), configuration, options);
  }

  /** With isolators that are not looked up by name. */
  static async start(
    prepared: PreparedGeneration,
    configuration: Configuration,
    { log = stderrLogger, transient = false }: CreateOptions = {},
  ): Promise<Containerizer> {
    const containerizer = new Containerizer(configuration, log, transient);
    try {
      containerizer.#generation = prepared.create(containerizer.#generationHost());
      await containerizer.#recover();
      return containerizer;
    } catch (error) {
      await containerizer.#giveUp();
      throw error;
    }
  }

  /** The launcher and the isolators of containers that are launched from now on. */
  get selection(): Selection {
    return this.#generation.selection;
  }

  /** Resolves once the command was executed. A failure leaves nothing, and names isolator, phase and container. */
  async launch(id: ContainerId | undefined, config: ContainerConfig): Promise<LaunchedContainer> {
    if (this.#isClosed) throw coreErrors.CONTAINERIZER_CLOSED();
    const container = this.#begin(id ?? randomUUID(), config);
    container.launching = launchContainer(this.#core, container);
    try {
      await container.launching;
    } finally {
      if (container.termination && !container.launched) this.#forget(container);
    }
    return { id: container.id, pid: container.pid!, sandbox: container.place.sandbox };
  }

  /** How the container ended, once it has: also for one that ended before, until `remove`. */
  async wait(id: ContainerId): Promise<Termination> {
    return this.#find(id).ended;
  }

  /** Sends a signal to the first process. One that isn't forked yet is destroyed. False if the container has ended. */
  signal(id: ContainerId, signal: number): boolean {
    const container = this.#find(id);
    if (container.state === 'ENDED') return false;
    if (container.process) return container.process.signal(signal);
    this.destroy(id).catch(() => {}); // reported by ending.ts
    return true;
  }

  /** Ends every process and undoes everything. Of one that has ended: how. */
  async destroy(id: ContainerId): Promise<Termination> {
    return endContainer(this.#core, this.#find(id), { reason: 'DESTROYED' });
  }

  /** Forgets an ended container and those nested in it, and deletes their files; `keepSandbox` leaves the sandbox. */
  async remove(id: ContainerId, { keepSandbox = false }: { keepSandbox?: boolean } = {}): Promise<void> {
    const container = this.#find(id);
    if (container.state !== 'ENDED') throw coreErrors.CONTAINER_NOT_ENDED(id, container.state);
    container.removing ??= removeFiles(container.place, keepSandbox);
    try {
      await container.removing;
    } finally {
      container.removing = undefined;
    }
    for (const each of [...this.#containers.values()])
      if (each === container || each.id.startsWith(`${id}.`)) this.#forget(each);
    this.#core.emit({ type: 'removed', id });
  }

  /** Changes the allocation. A failure names the isolators that did not follow; the others keep what they did. */
  async update(id: ContainerId, resources: Resources, limits?: Resources): Promise<void> {
    const container = this.#find(id);
    const wanted = {
      resources: this.#resources(id, resources),
      limits: this.#resources(id, limits ?? container.limits),
    };
    const before = container.updating;
    container.updating = before.then(() => this.#update(container, wanted));
    const mine = container.updating;
    container.updating = mine.catch(() => {});
    await mine;
  }

  /** What isolators measure; what one fails to tell is left out and logged. */
  async usage(id: ContainerId): Promise<ResourceStatistics> {
    return usageOf(this.#find(id), this.#core.log);
  }

  async status(id: ContainerId): Promise<ContainerStatus> {
    return statusOf(this.#find(id), this.#core.log);
  }

  inspect(id: ContainerId): ContainerDetails {
    return detailsOf(this.#find(id));
  }

  /** Every container that is known, in the order in which they began. */
  list(): ContainerSummary[] {
    return [...this.#containers.values()].map(summaryOf);
  }

  terminal(id: ContainerId): ContainerTerminal | undefined {
    return this.#find(id).process?.terminal;
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
    const { workDir, runtimeDir } = configuration.values;
    if (workDir !== this.configuration.values.workDir || runtimeDir !== this.configuration.values.runtimeDir)
      throw coreErrors.CONFIG_INVALID('reload', ['workDir and runtimeDir stay as they are until a restart']);
    const next = prepared.create(this.#generationHost(configuration));
    await recoverIsolators(this.#core, next, { running: [], ending: [] });
    const last = this.#generation;
    this.#generation = next;
    void last.retire();
    return next.selection;
  }

  /** The isolator whose code an error came from, for what nobody handled: `unhandledRejection` names it (K2). */
  isolatorOf(error: unknown): string | undefined {
    return error instanceof Error && error.stack ? this.#generation.isolatorIn(error.stack) : undefined;
  }

  /** Gives back what this process holds. Containers go on, for the next one to take up; of a transient one they end. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const open = [...this.#containers.values()].filter(({ state }) => state !== 'ENDED');
    await Promise.allSettled(open.map(({ launching }) => launching));
    if (this.#core.transient) await this.#endAll(open);
    for (const { retry } of this.#containers.values()) clearTimeout(retry);
    await this.#giveUp();
  }

  #begin(text: string, input: ContainerConfig): ManagedContainer {
    const { id, config, parent } = validateLaunch(text, input, this.#containers);
    const generation = parent?.generation ?? this.#generation;
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
    this.#register(container);
    generation.enter();
    parent?.children.add(container);
    this.#core.emit({ type: 'state', id, state: 'PREPARING' });
    return container;
  }

  #register(container: ManagedContainer): void {
    this.#containers.set(container.id, container);
    this.#directories.set(container.id, container.place.runtimeDirectory);
  }

  #forget({ id }: ManagedContainer): void {
    this.#containers.delete(id);
    this.#directories.delete(id);
  }

  #find(id: ContainerId): ManagedContainer {
    const container = this.#containers.get(id);
    if (!container) throw coreErrors.CONTAINER_UNKNOWN(id);
    return container;
  }

  #resources(id: ContainerId, input: unknown): Resources {
    const { value, problems } = parseStrictly(ResourcesSchema, input);
    if (problems) throw coreErrors.CONTAINER_CONFIG_INVALID(id, problems);
    return value;
  }

  async #update(
    container: ManagedContainer,
    { resources, limits }: { resources: Resources; limits: Resources },
  ) {
    const { id, state, generation, subject, view, place } = container;
    if (state !== 'RUNNING') throw coreErrors.CONTAINER_NOT_RUNNING(id, state);
    const failures = await generation.phases.parallel('update', subject, () => [view, resources, limits]);
    if (failures.length > 0) throw combined('update', id, failures);
    container.resources = Object.freeze(resources);
    container.limits = Object.freeze(limits);
    if (container.state !== 'RUNNING') return;
    await failpoint('update.applied');
    writeRecord(place.runtimeDirectory, container.record());
    this.#core.emit({ type: 'updated', id, resources });
  }

  #generationHost(configuration = this.configuration) {
    const { log } = this.#core;
    const { timeouts } = configuration.values;
    const directoryOf = (id: ContainerId) => this.#directories.get(id);
    return {
      log,
      timeouts,
      directories: { workDir: this.#home.workDir, runtimeDir: this.#home.runtimeDir },
      observer: this.#observer(),
      checkpointsFor: (owner: string) => new IsolatorStore(owner, directoryOf, log),
    };
  }

  #observer(): PhaseObserver {
    return {
      tapped: (id, { isolator, phase }, ms, failed) => {
        if (this.#events.isHeard) this.#events.emit({ type: 'tap', id, isolator, phase, ms, failed });
      },
      failedLate: (id, { isolator, phase }, error) =>
        this.#core.log.warn(
          { container: id, isolator, phase, error: messageOf(error) },
          'a tap failed after its time',
        ),
    };
  }

  /** This owner's own state, then that of runs whose owner has died. */
  async #recover(): Promise<void> {
    await this.#recoverFrom(this.#home, false);
    for (const { directory, ownership } of claimAbandonedRuns(this.configuration.values.runtimeDir)) {
      const undone = await this.#recoverFrom({ workDir: this.#home.workDir, runtimeDir: directory }, true);
      if (undone) rmSync(directory, { recursive: true, force: true });
      else ownership.release();
    }
  }

  /** True if nothing is left that could not be undone. */
  async #recoverFrom(directories: StateDirectories, discard: boolean): Promise<boolean> {
    const found = scan(directories, this.#core.log);
    for (const { id, place } of found) this.#directories.set(id, place.runtimeDirectory);
    const plan = await planRecovery(this.#core, this.#generation, found, discard);
    const ending = plan.ending.map(([container]) => container);
    if (!discard) for (const each of [...plan.ended, ...plan.running, ...ending]) this.#register(each);
    // Every isolator's `recover` is called once, with what is its owner's own.
    if (!discard) await recoverIsolators(this.#core, this.#generation, plan);
    if (!discard) resume(this.#core, this.#generation, plan.running);
    const failed = await endTheRest(this.#core, plan);
    for (const each of ending)
      if (each.termination && !each.launched)
        discard ? this.#directories.delete(each.id) : this.#forget(each);
    return failed.length === 0 && plan.running.length === 0;
  }

  async #endAll(containers: readonly ManagedContainer[]): Promise<void> {
    const cause = { reason: 'DESTROYED', message: 'the process that launched it ends' };
    const outermost = containers.filter(({ id, parent }) => parentOf(id) === undefined || !parent);
    await Promise.allSettled(outermost.map((each) => endContainer(this.#core, each, cause)));
    const ended = [...this.#containers.values()].filter(
      ({ state, place }) => state === 'ENDED' && !place.isNested,
    );
    await Promise.allSettled(ended.map(({ place }) => removeFiles(place)));
  }

  async #giveUp(): Promise<void> {
    await this.#generation?.close();
    this.#home.release();
  }
}
