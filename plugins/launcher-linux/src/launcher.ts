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
import { describeLaunch } from './compile.js';
import { refuseTracer } from './entered.js';
import { forkContainer } from './fork.js';
import type { HostCgroups } from './host-services.js';
import type { LinuxProcess } from './linux-process.js';
import { NullInput } from './null-input.js';
import type { LinuxLauncherOptions } from './options.js';
import { SharedProcessor } from './shared-processor.js';
import { findTrackingGroup } from './tracking-group.js';
import { refuseUnsupported } from './unsupported.js';
import { validateConfig } from './validate.js';
import { WaitingSupervisor } from './waiting-supervisor.js';

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
  #closed = false;
  #waiting: WaitingSupervisor | undefined;
  /** By id of the container, for those that are nested in it. */
  readonly #running = new Map<string, LinuxProcess>();
  readonly #input = new NullInput();

  constructor(
    @inject(HostEnvironment) private readonly host: HostEnvironment,
    @inject(Cgroups) private readonly cgroups: HostCgroups,
    @inject(IsolatorOptions) private readonly options: LinuxLauncherOptions = { waitingSupervisor: false },
  ) {}

  validate(config: Readonly<ContainerConfig>): ResolvedUser | undefined {
    return validateConfig(config);
  }

  async fork(container: Container, plan: LaunchPlan): Promise<LinuxProcess> {
    refuseUnsupported(container.id, plan.data);
    refuseTracer(container.id, plan.data);
    this.#inFlight += 1;
    try {
      const forked = await forkContainer(container, plan.data, {
        reaper: this.#reap(),
        cgroups: this.cgroups,
        input: this.#input,
        imageDirectory: this.host.workDir,
        patienceMs: () => (this.#inFlight > 1 ? 0 : PATIENCE_MS),
        processor: this.#inFlight > 1 ? undefined : SharedProcessor.here(),
        waiting: () => this.#takeWaiting(),
        parent: (id) => this.#running.get(id),
      });
      return this.#remember(container, forked);
    } finally {
      this.#inFlight -= 1;
      // Not now: the container is making its mounts, and the caller has a gate to open.
      setImmediate(() => this.#keepOneWaiting());
    }
  }

  #takeWaiting(): WaitingSupervisor | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  /** For the next launch. */
  #keepOneWaiting(): void {
    if (!this.options.waitingSupervisor || this.#waiting || this.#closed) return;
    try {
      this.#waiting = WaitingSupervisor.start(this.host.workDir);
    } catch {
      // The next launch starts its own, and says what is wrong.
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
    this.#closed = true;
    this.#takeWaiting()?.end();
    this.#input.close();
    this.#reaper?.close();
    this.#reaper = undefined;
  }

  #reap(): Reaper {
    this.#reaper ??= new Reaper();
    return this.#reaper;
  }
}
