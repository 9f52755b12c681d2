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
  type ResolvedUser,
} from '@caisson/plugin-sdk';
import { adoptContainer } from './adopt.js';
import { ComingLaunches } from './coming-launches.js';
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

/**
 * Launcher `linux`: a plan is compiled to a table of system calls that a process of the container's own walks. The
 * agent changes no namespace, takes no uid, and learns by a pipe that the command was executed.
 */
@injectable()
export class LinuxLauncher implements Launcher {
  #reaper: Reaper | undefined;
  #inFlight = 0;
  readonly #coming = new ComingLaunches(() =>
    ForkServer.start(this.host.runtimeDir, this.host.workDir, this.#reap()),
  );
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
    const coming = this.options.forkServer && canBeForked(plan.data) ? this.#coming : undefined;
    let kind: LaunchKind | undefined;
    try {
      const forked = await forkContainer(container, plan.data, {
        reaper: this.#reap(),
        cgroups: this.cgroups,
        input: this.#input,
        imageDirectory: this.host.workDir,
        patienceMs: () => (this.#inFlight > 1 ? 0 : PATIENCE_MS),
        parent: (id) => this.#running.get(id),
        entrances: this.#entrances,
        processor: this.#inFlight > 1 || this.#coming.server ? undefined : SharedProcessor.here(),
        forkServer: this.#coming.server,
        onExecuted: (forkedKind) => {
          kind = forkedKind;
          coming?.executed(kind);
        },
      });
      const ended = () => coming?.ended(kind);
      forked.exited.then(ended, ended);
      return this.#remember(container, forked);
    } finally {
      this.#inFlight -= 1;
    }
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
    this.#coming.close();
    this.#input.close();
    this.#reaper?.close();
    this.#reaper = undefined;
  }

  #reap(): Reaper {
    this.#reaper ??= new Reaper();
    return this.#reaper;
  }
}
