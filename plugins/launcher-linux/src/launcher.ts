import { Reaper } from '@caisson/linux/process';
import {
  Cgroups,
  type Container,
  type ContainerConfig,
  HostEnvironment,
  IsolatorOptions,
  inject,
  injectable,
  type Launcher,
  type LauncherState,
  type LaunchPlan,
  type LaunchPlanData,
  type ResolvedUser,
} from '@caisson/plugin-sdk';
import { adoptContainer } from './adopt.js';
import { describeLaunch } from './compile.js';
import { refuseTracer, refuseUnknown } from './entered.js';
import { Entrances } from './entrances.js';
import { forkContainer } from './fork.js';
import { ForkServer, type LaunchKind } from './fork-server.js';
import type { HostCgroups } from './host-services.js';
import type { LinuxProcess } from './linux-process.js';
import { NullInput } from './null-input.js';
import type { LinuxLauncherOptions } from './options.js';
import { SharedProcessor } from './shared-processor.js';
import { canBeForked } from './start-supervisor.js';
import { findTrackingGroup } from './tracking-group.js';
import { refuseUnsupported } from './unsupported.js';
import { validateConfig } from './validate.js';

/** How long to block for an answer of the exec stage when no other launch waits: it takes about a millisecond. */
const PATIENCE_MS = 3;
/** How long a command that was just executed has the other processors: preparing a launch takes half a millisecond of one. */
const COMMAND_FIRST_MS = 3;

/**
 * Launcher `linux`: a plan is compiled to a table of system calls that a process of the container's own walks. The
 * agent changes no namespace, takes no uid, and learns by a pipe that the command was executed.
 */
@injectable()
export class LinuxLauncher implements Launcher {
  #reaper: Reaper | undefined;
  #inFlight = 0;
  #closed = false;
  #forkServer: ForkServer | undefined;
  /** By id of the container, for those that are nested in it. */
  readonly #running = new Map<string, LinuxProcess>();
  readonly #entrances = new Entrances(this.#running);
  readonly #input = new NullInput();

  constructor(
    @inject(HostEnvironment) private readonly host: HostEnvironment,
    @inject(Cgroups) private readonly cgroups: HostCgroups,
    @inject(IsolatorOptions) private readonly options: LinuxLauncherOptions = { forkServer: true },
  ) {}

  validate(config: Readonly<ContainerConfig>): ResolvedUser | undefined {
    return validateConfig(config);
  }

  async fork(container: Container, plan: LaunchPlan): Promise<LinuxProcess> {
    refuseUnsupported(container.id, plan.data);
    refuseUnknown(container, plan.data);
    refuseTracer(container.id, plan.data);
    this.#inFlight += 1;
    const next = this.#nextAfter(plan.data);
    try {
      const forked = await forkContainer(container, plan.data, {
        reaper: this.#reap(),
        cgroups: this.cgroups,
        input: this.#input,
        imageDirectory: this.host.workDir,
        patienceMs: () => (this.#inFlight > 1 ? 0 : PATIENCE_MS),
        parent: (id) => this.#running.get(id),
        entrances: this.#entrances,
        processor: this.#inFlight > 1 || this.#forkServer ? undefined : SharedProcessor.here(),
        forkServer: this.#forkServer,
        onExecuted: next.executed,
      });
      forked.exited.then(next.ended, next.ended);
      return this.#remember(container, forked);
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** When to prepare the next launch of a kind: once the command of this one has ended, or had a moment for itself. */
  #nextAfter(plan: LaunchPlanData): { executed(kind?: LaunchKind): void; ended(): void } {
    let prepare = () => {};
    let timer: NodeJS.Timeout | undefined;
    return {
      executed: (kind) => {
        prepare = () => this.#prepareNext(plan, kind);
        timer = setTimeout(prepare, COMMAND_FIRST_MS).unref();
      },
      ended: () => {
        clearTimeout(timer);
        prepare();
      },
    };
  }

  /** For a launch like this one. */
  #prepareNext(plan: LaunchPlanData, forked: LaunchKind | undefined): void {
    if (!this.options.forkServer || this.#closed || !canBeForked(plan)) return;
    try {
      if (this.#forkServer?.alive === false) this.#endForkServer();
      this.#forkServer ??= ForkServer.start(this.host.runtimeDir, this.host.workDir, this.#reap());
      if (forked) this.#forkServer.prepare(forked);
    } catch {
      // The next launch spawns its own supervisor, and says what is wrong.
    }
  }

  #endForkServer(): void {
    const server = this.#forkServer;
    this.#forkServer = undefined;
    server?.end();
  }

  adopt(container: Container, state: LauncherState): LinuxProcess | undefined {
    const adopted = adoptContainer(container, state, this.#reap(), this.cgroups);
    return adopted && this.#remember(container, adopted);
  }

  #remember({ id }: Container, process: LinuxProcess): LinuxProcess {
    this.#running.set(id, process);
    const forget = () => void (this.#running.get(id) === process && this.#running.delete(id));
    process.exited.then(forget, forget);
    return process;
  }

  /** Ends and removes what a launch that was cut off has left: its tracking cgroup. */
  async forget(container: Container): Promise<void> {
    await findTrackingGroup(container, this.cgroups)?.end();
  }

  describe(_container: Container, plan: LaunchPlan): string {
    return describeLaunch(plan.data);
  }

  close(): void {
    this.#closed = true;
    this.#endForkServer();
    this.#input.close();
    this.#reaper?.close();
    this.#reaper = undefined;
  }

  #reap(): Reaper {
    this.#reaper ??= new Reaper();
    return this.#reaper;
  }
}
