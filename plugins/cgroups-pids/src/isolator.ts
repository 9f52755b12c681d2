/**
 * cgroups/pids: a limit of processes and threads for each container, so that a fork bomb harms nobody else, and how many
 * there are. Version 1 and version 2 alike.
 *
 * Throws  SHARES_PARENTS_PIDS (errors.ts); CGROUP_* of @caisson/linux
 * Source  Documentation/admin-guide/cgroup-v1/pids.rst, Documentation/admin-guide/cgroup-v2.rst
 */
import {
  type Cgroup,
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
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { errors } from './errors.js';
import { limitationOf, limitOf, readStatistics, writeLimit } from './figures.js';
import type { PidsOptions } from './options.js';
import { RefusalWatcher } from './watcher.js';

const NAME = 'cgroups/pids';

@injectable()
export class PidsIsolator implements Isolator {
  readonly #groups: ContainerCgroups;
  readonly #watcher: RefusalWatcher;

  constructor(
    @inject(IsolatorOptions) private readonly options: PidsOptions,
    @inject(Cgroups) cgroups: HostCgroups,
    @inject(Checkpoints) checkpoints: Checkpoints,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.#watcher = new RefusalWatcher(options.watchInterval);
    this.#groups = new ContainerCgroups(cgroups, checkpoints, {
      ...options,
      controllers: ['pids'],
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
    await failpoint('cgroups/pids.created');
    if (ownsCgroups(container)) {
      const limit = limitOf(container.resources, container.limits) ?? this.options.defaultLimit;
      if (limit !== undefined) writeLimit(this.#groups.cgroup(container), limit);
    }
    showCgroups(plan, this.#groups.all(container));
  }

  async #isolate(container: Container, pid: number): Promise<void> {
    await this.#groups.enter(container, pid);
    await failpoint('cgroups/pids.entered');
  }

  #watch(container: Container, report: ReportLimitation): void {
    const cgroup = this.#groups.own(container);
    if (!cgroup?.exists()) return;
    this.#watcher.watch(container.id, cgroup, () => this.#reached(container, cgroup, report));
  }

  #reached({ id }: Container, cgroup: Cgroup, report: ReportLimitation): void {
    const limitation = limitationOf(cgroup);
    if (this.options.whenReached === 'end') report(limitation);
    else this.log.warn({ container: id, ...readStatistics(cgroup) }, limitation.message);
  }

  #update(container: Container, resources: Resources, limits: Resources): void {
    const limit = limitOf(resources, limits);
    if (limit === undefined) return;
    if (!ownsCgroups(container)) throw errors.SHARES_PARENTS_PIDS(container.id);
    writeLimit(this.#groups.cgroup(container), limit);
  }

  /** A nested container that shares is part of what its parent has. */
  #usage(container: Container, statistics: ResourceStatistics): void {
    const cgroup = this.#groups.own(container);
    if (cgroup) Object.assign(statistics, readStatistics(cgroup));
  }

  async #cleanup(container: Container): Promise<void> {
    this.#watcher.stop(container.id);
    await this.#groups.remove(container);
  }
}
