/**
 * cgroups/cpu: a share of the processors for each container where they are contended, a limit where one is asked for, and
 * the cpu time that was used. Version 1 (cpu, cpuacct) and version 2 (cpu) alike.
 *
 * Throws  SHARES_PARENTS_CPUS (errors.ts); CGROUP_* of @caisson/linux
 * Source  cgroups(7); Documentation/admin-guide/cgroup-v1/cpuacct.rst, cgroup-v2.rst
 */
import { availableParallelism } from 'node:os';
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
  type ResourceStatistics,
  type Resources,
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { allocationOf } from './allocation.js';
import { applyAllocation } from './controls.js';
import { errors } from './errors.js';
import type { CpuOptions } from './options.js';
import { countProcesses, readCpuTime, readThrottling } from './usage.js';

const NAME = 'cgroups/cpu';

@injectable()
export class CpuIsolator implements Isolator {
  readonly #groups: ContainerCgroups;

  constructor(
    @inject(IsolatorOptions) private readonly options: CpuOptions,
    @inject(Cgroups) cgroups: HostCgroups,
    @inject(Checkpoints) checkpoints: Checkpoints,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.#groups = new ContainerCgroups(cgroups, checkpoints, {
      ...options,
      controllers: ['cpu', 'cpuacct'],
      delegate: true,
    });
  }

  apply(hooks: ContainerizerHooks): void {
    hooks.recover.tap(NAME, ({ containers }) => this.#groups.warnOfMissing(containers, this.log));
    hooks.prepare.tapPromise(NAME, (container, plan) => this.#prepare(container, plan));
    hooks.isolate.tapPromise(NAME, (container, pid) => this.#isolate(container, pid));
    hooks.update.tap(NAME, (container, resources, limits) => this.#update(container, resources, limits));
    hooks.usage.tap(NAME, (container, statistics) => this.#usage(container, statistics));
    hooks.cleanup.tapPromise(NAME, (container) => this.#groups.remove(container));
  }

  async #prepare(container: Container, plan: LaunchPlan): Promise<void> {
    this.#groups.create(container);
    await failpoint('cgroups/cpu.created');
    if (ownsCgroups(container)) this.#apply(container, container.resources, container.limits);
    showCgroups(plan, this.#groups.all(container));
  }

  async #isolate(container: Container, pid: number): Promise<void> {
    await this.#groups.enter(container, pid);
    await failpoint('cgroups/cpu.entered');
  }

  #update(container: Container, resources: Resources, limits: Resources): void {
    if (ownsCgroups(container)) this.#apply(container, resources, limits);
    else if (resources.cpus !== undefined || limits.cpus !== undefined)
      throw errors.SHARES_PARENTS_CPUS(container.id);
  }

  #apply(container: Container, resources: Resources, limits: Resources): void {
    applyAllocation(this.#groups.cgroup(container), allocationOf(resources, limits, this.options.enableCfs));
  }

  /** A nested container that shares is part of what its parent used. */
  #usage(container: Container, statistics: ResourceStatistics): void {
    if (!ownsCgroups(container)) return;
    const cgroup = this.#groups.cgroup(container);
    const { request, limit } = allocationOf(container.resources, container.limits, this.options.enableCfs);
    Object.assign(statistics, readCpuTime(this.#groups.cgroup(container, 'cpuacct')));
    if (request !== undefined) statistics.cpus_soft_limit = request;
    if (limit !== undefined) statistics.cpus_limit = Math.min(limit, availableParallelism());
    if (limit !== undefined && Number.isFinite(limit)) Object.assign(statistics, readThrottling(cgroup));
    if (this.options.countProcesses) Object.assign(statistics, countProcesses(cgroup));
  }
}
