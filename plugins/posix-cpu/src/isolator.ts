/**
 * posix/cpu: reports the cpu time of a container's processes, also of those that have ended, and limits nothing. Works on
 * every system: with /proc on Linux, by ps elsewhere; and with the kernel's own count where the container has a cgroup.
 *
 * Throws  PROCESSES_UNREADABLE (errors.ts)
 */
import type { Cgroups as HostCgroups } from '@caisson/linux/cgroups';
import { CLOCK_TICKS_PER_SECOND } from '@caisson/linux/proc';
import {
  Cgroups,
  Checkpoints,
  type Container,
  type ContainerizerHooks,
  type Isolator,
  inject,
  injectable,
  Logger,
  messageOf,
  optional,
  type ResourceStatistics,
  withCause,
} from '@caisson/plugin-sdk';
import { ContainerCpu, hostProcesses, type Processes } from './container-cpu.js';
import type { CpuTicks } from './cpu-account.js';
import { errors } from './errors.js';

/** Bound by tests alone. */
export const ProcessSource = Symbol.for('caisson.posix-cpu.ProcessSource');

/** Ticks between two checkpoints of what was reported. */
const CHECKPOINT_TICKS = CLOCK_TICKS_PER_SECOND;

interface Measured {
  readonly cpu: ContainerCpu;
  /** What a restart begins with. */
  checkpointed: number;
}

@injectable()
export class PosixCpuIsolator implements Isolator {
  readonly #containers = new Map<string, Measured>();

  constructor(
    @inject(Checkpoints) private readonly checkpoints: Checkpoints,
    @inject(Logger) private readonly log: Logger,
    @inject(Cgroups) @optional() private readonly cgroups?: HostCgroups,
    @inject(ProcessSource) @optional() private readonly processes: Processes = hostProcesses,
  ) {}

  apply(hooks: ContainerizerHooks): void {
    hooks.usage.tapPromise('posix/cpu', (container, statistics) => this.#usage(container, statistics));
    hooks.cleanup.tapPromise('posix/cpu', async ({ id }) => {
      this.#containers.delete(id);
      this.checkpoints.delete(id);
    });
  }

  async #usage(container: Container, statistics: ResourceStatistics): Promise<void> {
    const known = this.#containers.get(container.id) ?? this.#begin(container);
    if (!known) return;
    const ticks = await this.#read(container.id, known.cpu);
    statistics.cpus_user_time_secs = seconds(ticks.user);
    statistics.cpus_system_time_secs = seconds(ticks.system);
    if (this.#containers.has(container.id)) this.#checkpoint(container.id, known, ticks);
  }

  /** So that a restart doesn't forget who has ended. A figure that can't be written is a figure all the same. */
  #checkpoint(id: string, known: Measured, ticks: CpuTicks): void {
    const total = ticks.user + ticks.system;
    if (total - known.checkpointed < CHECKPOINT_TICKS) return;
    known.checkpointed = total;
    try {
      this.checkpoints.set(id, ticks);
    } catch (error) {
      this.log.warn({ container: id, error: messageOf(error) }, 'its cpu time may go backwards at a restart');
    }
  }

  #begin({ id, pid, parentPid }: Container): Measured | undefined {
    if (pid === undefined) return undefined;
    const { processes, cgroups } = this;
    const floor = ticksOf(this.checkpoints.get(id));
    const cpu = new ContainerCpu({ pid, parentPid, processes, cgroups, floor });
    const begun = { cpu, checkpointed: floor ? floor.user + floor.system : 0 };
    this.#containers.set(id, begun);
    return begun;
  }

  async #read(id: string, cpu: ContainerCpu): Promise<CpuTicks> {
    try {
      return await cpu.read();
    } catch (error) {
      throw withCause(errors.PROCESSES_UNREADABLE(id, messageOf(error)), error);
    }
  }
}

/** To the microsecond: binary fractions would make 0.30000000000000004 of three tenths. */
const seconds = (ticks: number): number => Math.round((ticks / CLOCK_TICKS_PER_SECOND) * 1e6) / 1e6;

/** A checkpoint that this or an earlier version wrote; anything else is none. */
function ticksOf(checkpoint: unknown): CpuTicks | undefined {
  const { user, system } = (checkpoint ?? {}) as Partial<Record<string, unknown>>;
  return isTicks(user) && isTicks(system) ? { user, system } : undefined;
}

const isTicks = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < 2 ** 53;
