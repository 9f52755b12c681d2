import { closeSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cgroups } from '@caisson/linux/cgroups';
import { decodeWaitStatus, type ProcessEnd, Reaper } from '@caisson/linux/process';
import { busyboxRootfs, needs, unmet, type WithCensusOptions, withCensus } from '@caisson/linux/testing';
import type { Container, LauncherState, LaunchPlanData } from '@caisson/plugin-sdk';
import { afterAll, afterEach, beforeAll, test } from '@jest/globals';
import { adoptContainer } from '../adopt.js';
import { forkContainer } from '../fork.js';
import type { ForkContext } from '../fork-context.js';
import type { LinuxProcess } from '../linux-process.js';
import { NullInput } from '../null-input.js';
import type { LaunchStep } from '../step.js';
import { type PlanEdit, standardPlan } from './standard-plan.js';

const NEEDS = { root: true, busybox: true } as const;

/** `test` where launches can be tested, else its `skip`, said aloud. */
export const kernelTest: typeof test = needs(test, NEEDS);

/** How a container ended, and what it wrote to its sandbox. */
export interface Outcome extends ProcessEnd {
  readonly stdout: string;
  readonly stderr: string;
}

/** A container that was started by `fork`: the process and where its files are. */
export interface Launched {
  readonly process: LinuxProcess;
  readonly container: Container;
  stdout(): string;
  /** Opens the gate; resolves once the command was executed. */
  release(): Promise<void>;
  /** Resolves with the output once it matches; rejects if the container ends without it. */
  output(pattern: RegExp): Promise<string>;
  /** Waits for the end. */
  end(): Promise<Outcome>;
}

/**
 * Launches containers through `forkContainer` alone: no core, no isolators. Everything is below one temporary directory,
 * and what a test has left running is ended after it.
 */
export class LaunchKit {
  directory = '';
  /** A busybox root filesystem that all tests of a file share. */
  rootfs = '';
  readonly cgroups = new Cgroups();
  readonly #input = new NullInput();
  #reaper: Reaper | undefined;
  #launched: Launched[] = [];
  #folders: string[] = [];
  #count = 0;

  open(): void {
    // 0700, as a container's guard directory is (threat model F8).
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-launcher-')));
    this.rootfs = busyboxRootfs(join(this.directory, 'rootfs'));
    this.#reaper = new Reaper();
    // Opened on first use and kept: it would look like a leak.
    closeSync(this.#input.open());
    this.cgroups.tracking()?.cgroup('').exists();
    this.cgroups.find('freezer')?.cgroup('').exists();
  }

  close(): void {
    this.#reaper?.close();
    this.#input.close();
    this.cgroups.close();
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
  }

  get reaper(): Reaper {
    if (!this.#reaper) throw new Error('the launch kit is not open');
    return this.#reaper;
  }

  container(overrides: Partial<Container> = {}): Container {
    const id = overrides.id ?? `c${++this.#count}`;
    const sandbox = join(this.directory, id, 'sandbox');
    const runtimeDirectory = join(this.directory, id, 'runtime');
    for (const path of [sandbox, runtimeDirectory]) mkdirSync(path, { recursive: true, mode: 0o711 });
    this.#folders.push(join(this.directory, id));
    const absent = { parentId: undefined, user: undefined, pid: undefined, parentPid: undefined };
    const config = { argv: ['true'] };
    const made = {
      ...absent,
      id,
      class: 'DEFAULT',
      config,
      resources: {},
      limits: {},
      sandbox,
      runtimeDirectory,
    };
    return { ...made, ...overrides } as Container;
  }

  plan(command: string | readonly string[], edit?: PlanEdit): LaunchPlanData {
    return standardPlan(this.rootfs, command, edit);
  }

  context(steps?: readonly LaunchStep[]): ForkContext {
    const { reaper, cgroups, directory } = this;
    return { reaper, cgroups, input: this.#input, imageDirectory: directory, patienceMs: () => 3, steps };
  }

  /** A process at the gate. */
  async fork(
    plan: LaunchPlanData,
    steps?: readonly LaunchStep[],
    container = this.container(),
  ): Promise<Launched> {
    const process = await forkContainer(container, plan, this.context(steps));
    return this.track(process, container);
  }

  /** One that was executed. */
  async start(
    command: string | readonly string[],
    edit?: PlanEdit,
    steps?: readonly LaunchStep[],
  ): Promise<Launched> {
    const launched = await this.fork(this.plan(command, edit), steps);
    await launched.release();
    return launched;
  }

  /** From plan to end. */
  async run(
    command: string | readonly string[] | LaunchPlanData,
    edit?: PlanEdit,
    steps?: readonly LaunchStep[],
  ): Promise<Outcome> {
    const plan = isPlan(command) ? command : this.plan(command, edit);
    const launched = await this.fork(plan, steps);
    await launched.release();
    return launched.end();
  }

  /** Takes up what an agent of another process has launched. */
  adopt({ container, state }: { container: Container; state: LauncherState }): Launched {
    const process = adoptContainer(container, state, this.reaper, this.cgroups);
    if (!process) throw new Error('not a state of this launcher');
    return this.track(process, container);
  }

  /** Takes one along that was started or adopted elsewhere: it is ended after the test. */
  track(process: LinuxProcess, container: Container): Launched {
    const launched = new LaunchedContainer(process, container);
    this.#launched.push(launched);
    return launched;
  }

  /** After each test. */
  async endAll(): Promise<void> {
    for (const { process } of this.#launched.splice(0)) {
      await process.destroy();
      process.close();
    }
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}

const isPlan = (command: unknown): command is LaunchPlanData =>
  typeof command === 'object' && !Array.isArray(command);

class LaunchedContainer implements Launched {
  #ended = false;

  constructor(
    readonly process: LinuxProcess,
    readonly container: Container,
  ) {
    process.exited.then(() => {
      this.#ended = true;
    });
  }

  stdout(): string {
    return readIfPresent(join(this.container.sandbox, 'stdout'));
  }

  async release(): Promise<void> {
    await this.process.release();
  }

  async output(pattern: RegExp): Promise<string> {
    for (;;) {
      const ended = this.#ended;
      const text = this.stdout();
      if (pattern.test(text)) return text;
      if (ended) throw new Error(`ended without ${pattern}: ${text}${this.#stderr()}`);
      await sleep(1);
    }
  }

  async end(): Promise<Outcome> {
    const status = await this.process.exited;
    const end = status === undefined ? {} : decodeWaitStatus(status);
    return { ...end, stdout: this.stdout(), stderr: this.#stderr() };
  }

  #stderr(): string {
    return readIfPresent(join(this.container.sandbox, 'stderr'));
  }
}

/** The text of a file; empty if there is none. */
export function readIfPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A kit for the tests of a file; each test must leave nothing (census). Call it once, at the top. */
export function useLaunchKit(census: WithCensusOptions = {}): LaunchKit {
  const kit = new LaunchKit();
  if (unmet(NEEDS) !== undefined) return kit;
  beforeAll(() => kit.open());
  afterEach(() => kit.endAll());
  afterAll(() => kit.close());
  // After ours: the census is taken once everything has ended.
  const directories = () => (kit.directory ? [kit.directory] : []);
  withCensus({ directories, cgroups: /caisson-c\d+-/, ...census });
  return kit;
}
