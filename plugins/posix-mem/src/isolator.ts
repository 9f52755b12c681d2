/**
 * posix/mem: reports the memory that a container's processes have in use, and limits nothing. Works on every system: with
 * /proc on Linux, by ps elsewhere.
 *
 * Throws  PROCESSES_UNREADABLE (errors.ts)
 */
import { ContainerFamily, type Cgroups as HostCgroups } from '@caisson/linux/cgroups';
import type { Kin } from '@caisson/linux/proc';
import {
  Cgroups,
  type Container,
  type ContainerizerHooks,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  messageOf,
  optional,
  type ResourceStatistics,
  withCause,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { HostMemory, hostMemory } from './host-memory.js';
import type { MemorySum } from './memory-reader.js';
import type { PosixMemOptions } from './options.js';

@injectable()
export class PosixMemIsolator implements Isolator {
  readonly #families = new Map<string, ContainerFamily<Kin>>();

  constructor(
    @inject(IsolatorOptions) private readonly options: PosixMemOptions,
    @inject(Cgroups) @optional() private readonly cgroups?: HostCgroups,
    /** Bound by tests alone. */
    @inject(HostMemory) @optional() private readonly memory: HostMemory = hostMemory,
  ) {}

  apply(hooks: ContainerizerHooks): void {
    hooks.usage.tapPromise('posix/mem', (container, statistics) => this.#usage(container, statistics));
    hooks.cleanup.tapPromise('posix/mem', async ({ id }) => {
      this.#families.delete(id);
    });
  }

  async #usage(container: Container, statistics: ResourceStatistics): Promise<void> {
    const { id, pid, parentPid } = container;
    if (pid === undefined) return;
    const family = this.#families.get(id) ?? new ContainerFamily({ pid, parentPid }, this.cgroups);
    this.#families.set(id, family);
    const { rss, pss, byRss } = await this.#read(id, pid, family);
    const { measure } = this.options;
    statistics.mem_rss_bytes = Math.round(measure === 'pss' ? pss : rss);
    statistics.extensions = {
      ...statistics.extensions,
      'posix/mem': {
        measure,
        rss_bytes: rss,
        ...(measure === 'pss' && byRss > 0 && { processes_by_rss: byRss }),
      },
    };
  }

  async #read(id: string, pid: number, family: ContainerFamily<Kin>): Promise<MemorySum> {
    try {
      const members = family.members(await this.memory.list(pid));
      return await this.memory.sum(members, this.options.measure === 'pss');
    } catch (error) {
      throw withCause(errors.PROCESSES_UNREADABLE(id, messageOf(error)), error);
    }
  }
}
