/**
 * cgroups/mem: a limit of memory for each container, what it used, and an end with the figures for one that runs into its
 * limit. Version 1 and version 2 alike.
 *
 * Throws  SHARES_PARENTS_MEMORY, SWAP_NOT_COUNTED, LIMIT_BELOW_USE (errors.ts); CGROUP_* of @caisson/linux
 * Source  cgroups(7); Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst
 */
import { totalmem } from 'node:os';
import { isErrno } from '@caisson/linux';
import {
  ContainerCgroups,
  type Cgroups as HostCgroups,
  ownsCgroups,
  showCgroups,
} from '@caisson/linux/cgroups';
import {
  Cgroups,
  Checkpoints,
  type Container,
  type ContainerizerHooks,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
  Logger,
  type ReportLimitation,
  type ResourceStatistics,
  type Resources,
  withCause,
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { allocationOf, oomScoreAdjOf } from './allocation.js';
import { applyAllocation } from './controls.js';
import { errors } from './errors.js';
import type { MemoryOptions } from './options.js';
import { readUsage } from './usage.js';
import { MemoryWatcher } from './watcher.js';

const NAME = 'cgroups/mem';

@injectable()
export class MemoryIsolator implements Isolator {
  readonly #groups: ContainerCgroups;
  readonly #watcher = new MemoryWatcher();

  constructor(
    @inject(IsolatorOptions) private readonly options: MemoryOptions,
    @inject(Cgroups) cgroups: HostCgroups,
    @inject(Checkpoints) checkpoints: Checkpoints,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.#groups = new ContainerCgroups(cgroups, checkpoints, {
      ...options,
      controllers: ['memory'],
      delegate: true,
    });
  }

  apply(hooks: ContainerizerHooks): void {
    hooks.recover.tap(NAME, ({ containers }) => this.#groups.warnOfMissing(containers, this.log));
    hooks.prepare.tapPromise(NAME, (container, plan) => this.#prepare(container, plan));
    hooks.isolate.tapPromise(NAME, (container, pid) => this.#isolate(container, pid));
    hooks.watch.tap(NAME, (container, report) => this.#watch(container, report));
    hooks.update.tap(NAME, (container, resources, limits) => this.#update(container, resources, limits));
    hooks.usage.tap(NAME, (container, statistics) => this.#usage(container, statistics));
    hooks.cleanup.tapPromise(NAME, (container) => this.#cleanup(container));
  }

  /** Gives back what is watched; the containers go on. */
  close(): void {
    this.#watcher.close();
  }

  async #prepare(container: Container, plan: LaunchPlan): Promise<void> {
    this.#groups.create(container);
    await failpoint('cgroups/mem.created');
    if (ownsCgroups(container)) {
      this.#apply(container, container.resources, container.limits);
      setOomScore(container, plan);
    }
    showCgroups(plan, this.#groups.all(container));
  }

  async #isolate(container: Container, pid: number): Promise<void> {
    await this.#groups.enter(container, pid);
    await failpoint('cgroups/mem.entered');
  }

  #watch(container: Container, report: ReportLimitation): void {
    const cgroup = this.#groups.own(container);
    if (!cgroup?.exists()) return;
    this.#watcher.watch(container.id, cgroup, report, this.options.pressureCounters);
    // In version 2 another isolator may be the one that removes it.
    this.#groups.beforeRemoval(container, () => this.#watcher.stop(container.id));
  }

  #update(container: Container, resources: Resources, limits: Resources): void {
    if (ownsCgroups(container)) this.#apply(container, resources, limits);
    else if (resources.mem !== undefined || limits.mem !== undefined)
      throw errors.SHARES_PARENTS_MEMORY(container.id);
  }

  #apply(container: Container, resources: Resources, limits: Resources): void {
    const cgroup = this.#groups.cgroup(container);
    try {
      applyAllocation(cgroup, allocationOf(resources, limits), this.options.limitSwap);
    } catch (error) {
      if (this.options.limitSwap && isErrno(error, 'ENOENT') && cgroup.exists())
        throw withCause(errors.SWAP_NOT_COUNTED(container.id), error);
      throw error;
    }
  }

  /** A nested container that shares is part of what its parent uses. */
  #usage(container: Container, statistics: ResourceStatistics): void {
    const cgroup = this.#groups.own(container);
    if (!cgroup) return;
    Object.assign(statistics, readUsage(cgroup, this.options.limitSwap));
    const { softBytes } = allocationOf(container.resources, container.limits);
    if (softBytes !== undefined) statistics.mem_soft_limit_bytes = softBytes;
    const pressures = this.#watcher.pressures(container.id);
    if (!pressures) return;
    statistics.mem_low_pressure_counter = pressures.low;
    statistics.mem_medium_pressure_counter = pressures.medium;
    statistics.mem_critical_pressure_counter = pressures.critical;
  }

  async #cleanup(container: Container): Promise<void> {
    this.#watcher.stop(container.id);
    await this.#groups.remove(container);
  }
}

/** Unless the configuration names one. */
function setOomScore({ config, resources, limits }: Container, plan: LaunchPlan): void {
  if (config.oomScoreAdj !== undefined) return;
  const score = oomScoreAdjOf(resources, limits, totalmem());
  if (score !== undefined) plan.data.oomScoreAdj = score;
}
