/** Stand-ins for what the kernel, launchers and isolators do, for tests of the core alone. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Container,
  type ContainerConfig,
  type ContainerizerHooks,
  type ContainerProcess,
  type Isolator,
  type IsolatorDefinition,
  injectable,
  type Launcher,
  type LauncherState,
  type LaunchPlan,
  type Logger,
  type Phase,
  type ResolvedUser,
} from '@caisson/plugin-sdk';
import { DEFAULT_TIMEOUTS } from '../configuration/defaults.js';
import type { Configuration, ConfigurationValues, Timeouts } from '../configuration/values.js';
import { Generation } from '../plugin-host/generation.js';
import type { PreparedGeneration } from '../plugin-host/prepare-generation.js';
import type { PluginSet } from '../plugin-host/selection.js';

export type TapFunctions = Partial<Record<Phase, (...args: never[]) => unknown>>;

export interface FakeIsolatorOptions {
  readonly supportsNesting?: boolean;
  /** How asynchronous hooks are tapped. */
  readonly kind?: 'tap' | 'tapPromise' | 'tapAsync';
}

/** An isolator that taps what it is given, under its name. */
export function fakeIsolator(
  name: string,
  taps: TapFunctions,
  { supportsNesting = true, kind = 'tap' }: FakeIsolatorOptions = {},
): IsolatorDefinition {
  class FakeIsolator implements Isolator {
    apply(hooks: ContainerizerHooks): void {
      for (const [phase, call] of Object.entries(taps)) {
        const hook = hooks[phase as Phase] as unknown as Record<
          string,
          (name: string, call: unknown) => void
        >;
        hook[phase === 'watch' ? 'tap' : kind]!(name, call);
      }
    }
  }
  injectable()(FakeIsolator);
  return { name, implementation: FakeIsolator, supportsNesting };
}

/** A process that runs until it is told otherwise. */
export class FakeProcess implements ContainerProcess {
  readonly exited: Promise<number | undefined>;
  readonly state: LauncherState;
  isAlive = true;
  isReleased = false;
  isClosed = false;
  endIsRecorded = false;
  signals: number[] = [];
  #exit!: (status: number | undefined) => void;

  constructor(
    readonly kernel: FakeKernel,
    public pid: number,
    readonly containerId: string,
  ) {
    this.state = { pid };
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  release(): Promise<void> | void {
    return this.kernel.release(this);
  }

  signal(signal: number): boolean {
    this.signals.push(signal);
    return this.isAlive;
  }

  destroy(): Promise<void> | void {
    return this.kernel.destroy(this);
  }

  close(): void {
    this.isClosed = true;
  }

  /** Ends with a raw status of wait(2). */
  exit(status: number | undefined): void {
    this.isAlive = false;
    this.#exit(status);
  }
}

/** Processes that outlive a containerizer, and what a launcher does with them: to be replaced by a test. */
export class FakeKernel {
  readonly processes: FakeProcess[] = [];
  /** Makes a new launcher for each containerizer, as a restart would. */
  validate: (config: Readonly<ContainerConfig>) => ResolvedUser | undefined = () => undefined;
  fork: (container: Container, plan: LaunchPlan) => Promise<ContainerProcess> | ContainerProcess = (
    container,
  ) => this.start(container);
  release: (process: FakeProcess) => Promise<void> | void = (process) => {
    process.isReleased = true;
  };
  destroy: (process: FakeProcess) => Promise<void> | void = (process) => {
    if (process.isAlive) process.exit(9);
  };
  adopt: Launcher['adopt'] = (container, state) =>
    this.processes.find(({ pid, containerId }) => pid === state.pid && containerId === container.id);

  forget: NonNullable<Launcher['forget']> = () => {};

  start(container: Container): FakeProcess {
    const started = new FakeProcess(this, 1000 + this.processes.length, container.id);
    this.processes.push(started);
    return started;
  }

  /** The process of a container. */
  of(id: string): FakeProcess {
    const found = this.processes.findLast(({ containerId }) => containerId === id);
    if (!found) throw new Error(`no process of ${id}`);
    return found;
  }

  get alive(): FakeProcess[] {
    return this.processes.filter(({ isAlive }) => isAlive);
  }

  launcher(): Launcher {
    return {
      validate: (config) => this.validate(config),
      fork: (container, plan) => this.fork(container, plan),
      adopt: (container, state) => this.adopt(container, state),
      forget: (container) => this.forget(container),
    };
  }
}

const plugin: PluginSet['launcher']['plugin'] = {
  package: {
    name: '@acme/fakes',
    version: '1.0.0',
    directory: '/nowhere',
    foundFrom: '/nowhere',
    isolators: [],
    launchers: [],
    sdkRange: '*',
  },
  definition: {},
};

export function fakeGeneration(
  kernel: FakeKernel,
  isolators: readonly IsolatorDefinition[],
): PreparedGeneration {
  class FakeLauncher {
    constructor() {
      Object.assign(this, kernel.launcher());
    }
  }
  injectable()(FakeLauncher);
  const implementation = FakeLauncher as unknown as new () => Launcher;
  const set: PluginSet = {
    launcher: { name: 'fake', definition: { name: 'fake', implementation }, plugin },
    isolators: isolators.map((definition) => ({ name: definition.name, definition, plugin })),
  };
  const selection = { launcher: 'fake', isolation: isolators.map(({ name }) => name), skipped: [] };
  return {
    selection,
    create: ({ directories, ...host }) =>
      Generation.create(set, selection, new Map(), {
        ...host,
        environment: { ...directories, launcher: 'fake', isolation: selection.isolation },
      }),
  };
}

/** A directory that goes with `remove`. */
export class TemporaryDirectory {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-core-')));

  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function fakeConfiguration(
  directory: TemporaryDirectory,
  timeouts: Partial<Timeouts> = {},
  values: Partial<ConfigurationValues> = {},
): Configuration {
  return {
    values: {
      isolation: [],
      launcher: undefined,
      plugins: [],
      options: {},
      workDir: directory.join('work'),
      runtimeDir: directory.join('run'),
      timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
      alternatives: [],
      ...values,
    },
    sources: {},
    file: undefined,
    directory: directory.path,
    unclaimedFlags: [],
  };
}

export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what is logged. */
export class FakeLog implements Logger {
  readonly lines: LogLine[] = [];
  debug = this.#add('debug');
  info = this.#add('info');
  warn = this.#add('warn');
  error = this.#add('error');

  #add(level: keyof Logger) {
    return (fields: object, message: string): void => {
      this.lines.push({ level, message, fields: fields as Record<string, unknown> });
    };
  }

  get text(): string {
    return this.lines
      .map(({ level, message, fields }) => `${level} ${message} ${JSON.stringify(fields)}`)
      .join('\n');
  }
}
