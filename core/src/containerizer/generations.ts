/** The launcher and the isolators of containers: of the last configuration, and of those before it that still have some. */
import { type ContainerId, messageOf } from '@caisson/plugin-sdk';
import { IsolatorStore } from '../checkpoints/isolator-store.js';
import type { Configuration } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import type { PhaseObserver } from '../hooks/phases.js';
import type { Generation } from '../plugin-host/generation.js';
import type { PreparedGeneration } from '../plugin-host/prepare-generation.js';
import type { Core } from './core.js';
import type { ContainerEvents } from './events.js';
import type { Home } from './home.js';
import type { Registry } from './registry.js';

export class Generations {
  #last: Generation;
  readonly #all = new Set<Generation>();

  /** @throws what isolators do when they are made */
  constructor(
    private readonly core: Core,
    private readonly events: ContainerEvents,
    private readonly home: Home,
    private readonly registry: Registry,
    prepared: PreparedGeneration,
    private current: Configuration,
  ) {
    this.#last = this.#create(prepared, current);
  }

  /** What containers are launched with from now on. */
  get last(): Generation {
    return this.#last;
  }

  get configuration(): Configuration {
    return this.current;
  }

  /**
   * Another one for containers launched from then on; those that run keep theirs.
   *
   * @param recover  tells its isolators what there is
   * @throws CONFIG_INVALID, and what isolators do when they are made; nothing has changed then
   */
  async replace(
    prepared: PreparedGeneration,
    configuration: Configuration,
    recover: (next: Generation) => Promise<void>,
  ): Promise<void> {
    const { workDir, runtimeDir } = configuration.values;
    if (workDir !== this.current.values.workDir || runtimeDir !== this.current.values.runtimeDir)
      throw coreErrors.CONFIG_INVALID('reload', ['workDir and runtimeDir stay as they are until a restart']);
    const next = this.#create(prepared, configuration);
    await recover(next);
    this.#last.retire();
    this.#last = next;
    this.current = configuration;
    for (const each of this.#all) if (each.isClosed) this.#all.delete(each);
  }

  /** The isolator whose code an error came from. */
  isolatorOf(error: unknown): string | undefined {
    const stack = error instanceof Error ? error.stack : undefined;
    if (stack === undefined) return undefined;
    return [...this.#all].map((each) => each.isolatorIn(stack)).find((name) => name !== undefined);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((each) => each.close()));
  }

  #create(prepared: PreparedGeneration, { values: { timeouts } }: Configuration): Generation {
    const { log } = this.core;
    const { workDir, runtimeDir } = this.home;
    const directoryOf = (id: ContainerId) => this.registry.directoryOf(id);
    const generation = prepared.create({
      log,
      timeouts,
      directories: { workDir, runtimeDir },
      observer: this.#observer(),
      checkpointsFor: (owner: string) => new IsolatorStore(owner, directoryOf, log),
    });
    this.#all.add(generation);
    return generation;
  }

  #observer(): PhaseObserver {
    return {
      tapped: (id, { isolator, phase }, ms, failed) => {
        if (this.events.isHeard) this.events.emit({ type: 'tap', id, isolator, phase, ms, failed });
      },
      failedLate: (id, { isolator, phase }, error) =>
        this.core.log.warn(
          { container: id, isolator, phase, error: messageOf(error) },
          'a tap failed after its time',
        ),
    };
  }
}
