import type { Container, Limitation } from '../container.js';
import type { LaunchPlan } from '../plan/launch-plan.js';
import type { ResourceStatistics } from '../statistics.js';
import { type ContainerOverrides, TemporaryHost } from './fake-container.js';
import { StartedIsolator, type StartOptions } from './started-isolator.js';

/** A process that waits at a gate, as the core's does while isolators isolate it. */
export interface TestProcess {
  readonly pid: number;
  kill(): Promise<unknown>;
}

/** `argv`, or a script for sh. */
export type TestCommand = string | readonly string[];

export interface Watched {
  /** All that were reported so far. */
  readonly limitations: readonly Limitation[];
  /** Resolves with the first. */
  readonly limitation: Promise<Limitation>;
}

/**
 * Containers with real processes for the tests of one isolator: its phases are called as the core calls them, and what they
 * began is undone by `endAll`. Needs `open` before all tests, and `remove` after them.
 */
export class TestContainers<P extends TestProcess> {
  readonly processes: P[] = [];
  readonly #toCleanUp: [StartedIsolator, Container][] = [];
  #host: TemporaryHost | undefined;

  /** @param startProcess  resolves once the process stands at its gate */
  constructor(
    private readonly start: StartOptions,
    private readonly startProcess: (command: TestCommand) => Promise<P>,
  ) {}

  open(): void {
    this.#host = new TemporaryHost();
  }

  get host(): TemporaryHost {
    if (!this.#host) throw new Error('TestContainers: call open() before the tests');
    return this.#host;
  }

  /**
   * @param options  beside those that all tests have
   * @param before   one whose checkpoints it goes on with, as after a restart
   */
  isolator(options: object = {}, before?: StartedIsolator): StartedIsolator {
    const all = { ...(this.start.options as object | undefined), ...options };
    return new StartedIsolator({ ...this.start, options: all }, before?.checkpoints);
  }

  /** One that is cleaned up after the test, launched or not. */
  container(isolator: StartedIsolator, overrides: ContainerOverrides = {}): Container {
    const container = this.host.container(overrides);
    this.#toCleanUp.push([isolator, container]);
    return container;
  }

  /** `prepare` and `isolate`: its process is at the gate. */
  async launch(
    isolator: StartedIsolator,
    command: TestCommand,
    overrides: ContainerOverrides = {},
  ): Promise<{ container: Container; process: P; plan: LaunchPlan }> {
    const plan = await isolator.prepare(this.container(isolator, overrides));
    const process = await this.startProcess(command);
    this.processes.push(process);
    const container = this.host.container({ ...overrides, pid: process.pid });
    await isolator.call('isolate', container, process.pid);
    return { container, process, plan };
  }

  async watch(isolator: StartedIsolator, container: Container): Promise<Watched> {
    const limitations: Limitation[] = [];
    let first = (_: Limitation): void => {};
    const limitation = new Promise<Limitation>((resolve) => {
      first = resolve;
    });
    await isolator.call('watch', container, (each: Limitation) => {
      limitations.push(each);
      first(each);
    });
    return { limitations, limitation };
  }

  async usage(isolator: StartedIsolator, container: Container): Promise<ResourceStatistics> {
    const statistics: ResourceStatistics = { timestamp: 0 };
    await isolator.call('usage', container, statistics);
    return statistics;
  }

  /** Kills the processes, then cleans up, what is nested before what it is nested in. */
  async endAll(): Promise<void> {
    for (const each of this.processes.splice(0)) await each.kill();
    for (const [isolator, container] of this.#toCleanUp.splice(0).reverse())
      await isolator.call('cleanup', container);
  }

  remove(): void {
    this.#host?.remove();
    this.#host = undefined;
  }
}
