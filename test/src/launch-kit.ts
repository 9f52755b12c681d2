import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Cgroups as HostCgroups } from '@caisson/linux/cgroups';
import { Mounts as HostMounts } from '@caisson/linux/proc';
import { decodeWaitStatus } from '@caisson/linux/process';
import {
  type CaissonError,
  Cgroups,
  type Container,
  type ContainerConfig,
  type ContainerProcess,
  createHooks,
  HostEnvironment,
  InjectionContainer,
  type IsolatorDefinition,
  IsolatorOptions,
  isCaissonError,
  type Launcher,
  type LauncherDefinition,
  LaunchPlan,
  type LaunchPlanData,
  Logger,
  Mounts,
  type PluginDefinition,
} from '@caisson/plugin-sdk';

const require = createRequire(import.meta.url);

/** How a launch ended: with an exit, or with the error of the step that failed. */
export interface Outcome {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly error: CaissonError | undefined;
}

export interface KitOptions {
  readonly isolation?: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
}

/** Switches a guard off: changes the plan after the isolators, before the launcher. */
export type EditPlan = (plan: LaunchPlanData) => void;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

async function loadPlugin(name: string): Promise<PluginDefinition> {
  const module = await import(pathToFileURL(require.resolve(name)).href);
  return module.default;
}

/** Builds an isolator or a launcher as the plugin host does. */
function build<T>(
  definition: IsolatorDefinition | LauncherDefinition,
  host: HostEnvironment,
  options: unknown,
): T {
  const container = new InjectionContainer();
  container.bind(HostEnvironment).toConstantValue(host);
  container.bind(Logger).toConstantValue(silent);
  container.bind(Cgroups).toConstantValue(new HostCgroups());
  container.bind(Mounts).toConstantValue(new HostMounts());
  container.bind(IsolatorOptions).toConstantValue(definition.options?.parse(options ?? {}));
  const implementation = definition.implementation as new (...args: never[]) => unknown;
  container.bind(implementation).toSelf();
  return container.get(implementation) as T;
}

/**
 * Isolators and the launcher `linux` without a containerizer between: a test can change the plan in between, which is
 * how it shows what happens without a guard.
 */
export class LaunchKit {
  readonly directory: string;
  readonly host: HostEnvironment;
  readonly #hooks = createHooks();
  #launcher!: Launcher;
  #count = 0;

  private constructor(isolation: readonly string[]) {
    // 0700, as a container's guard directory is (threat model F8).
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-launch-')));
    const [workDir, runtimeDir] = [join(this.directory, 'work'), join(this.directory, 'run')];
    for (const path of [workDir, runtimeDir]) mkdirSync(path);
    this.host = { workDir, runtimeDir, isolation, launcher: 'linux' };
  }

  static async create({
    isolation = ['filesystem/linux', 'namespaces/pid'],
    options = {},
  }: KitOptions = {}): Promise<LaunchKit> {
    const kit = new LaunchKit(isolation);
    const launcher = (await loadPlugin('@caisson/launcher-linux')).launchers?.[0] as LauncherDefinition;
    kit.#launcher = build<Launcher>(launcher, kit.host, { forkServer: false });
    for (const name of isolation) {
      const plugin = await loadPlugin(`@caisson/${name.replaceAll(/[/_]/g, '-')}`);
      const definition = plugin.isolators?.find((isolator) => isolator.name === name) as IsolatorDefinition;
      build<{ apply(hooks: unknown): void }>(definition, kit.host, options[name]).apply(kit.#hooks);
    }
    return kit;
  }

  close(): void {
    this.#launcher.close?.();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A container that is about to be launched, with its directories. */
  container(config: ContainerConfig, id = `c${++this.#count}`): Container {
    const sandbox = join(this.host.workDir, 'containers', id, 'sandbox');
    const runtimeDirectory = join(this.host.runtimeDir, 'containers', id);
    for (const path of [sandbox, runtimeDirectory]) mkdirSync(path, { recursive: true });
    const [parentId, pid, parentPid] = [undefined, undefined, undefined];
    const user = this.#launcher.validate(config);
    return {
      ...{ id, parentId, class: 'DEFAULT', config, resources: {}, limits: {}, user },
      ...{ sandbox, runtimeDirectory, pid, holdsPid: false, parentPid },
    };
  }

  /** What the isolators make of it. */
  async plan(container: Container): Promise<LaunchPlan> {
    const { argv, privileged, rlimits, workingDirectory, stdio } = container.config;
    const plan = new LaunchPlan({
      argv: [...argv],
      ...(container.user && { user: container.user }),
      ...(privileged && { privileged }),
      ...(rlimits && { rlimits }),
      ...(workingDirectory !== undefined && { workingDirectory }),
      ...(stdio && { stdio }),
    });
    await this.#hooks.prepare.promise(container, plan);
    for (const [name, value] of Object.entries(container.config.environment ?? {}))
      plan.data.environment[name] = value;
    return plan;
  }

  /** A process at the gate. */
  async fork(container: Container, edit: EditPlan = () => {}): Promise<ContainerProcess> {
    const plan = await this.plan(container);
    edit(plan.data);
    return this.#launcher.fork(container, plan);
  }

  /** From configuration to exit; a failed launch is an outcome too, any other failure is thrown. */
  async run(config: ContainerConfig, edit?: EditPlan): Promise<Outcome> {
    const container = this.container(config);
    try {
      const process = await this.fork(container, edit);
      const status = await finish(process);
      const { exitCode } = decodeWaitStatus(status ?? 0xff00);
      return { exitCode, ...outputOf(container), error: undefined };
    } catch (error) {
      if (!isCaissonError(error)) throw error;
      return { exitCode: undefined, ...outputOf(container), error };
    }
  }

  /** `sh -c script` in a container with this root filesystem. */
  async shell(script: string, config: Partial<ContainerConfig> = {}, edit?: EditPlan): Promise<Outcome> {
    return this.run({ argv: ['sh', '-c', script], ...config }, edit);
  }
}

async function finish(process: ContainerProcess): Promise<number | undefined> {
  try {
    await process.release();
    return await process.exited;
  } finally {
    await process.destroy();
    process.close();
  }
}

const outputOf = ({ sandbox }: Container) => ({
  stdout: readIfPresent(join(sandbox, 'stdout')),
  stderr: readIfPresent(join(sandbox, 'stderr')),
});

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
