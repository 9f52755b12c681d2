/**
 * cgroups/net_cls: a network class per container, by which packet filters and traffic control tell its packets from those of
 * others (iptables -m cgroup --cgroup, tc's cgroup filter).
 *
 * Throws  NO_FREE_HANDLES, HANDLE_IN_USE, HANDLE_NOT_IN_POOL, HANDLES_NOT_MANAGED, SHARES_PARENTS_HANDLE, CLASSID_NOT_KEPT
 *         (errors.ts); CGROUP_* of @caisson/linux
 * Source  Documentation/admin-guide/cgroup-v1/net_cls.rst
 */
import {
  type Cgroup,
  ContainerCgroups,
  type Cgroups as HostCgroups,
  ownsCgroups,
  withLock,
} from '@caisson/linux/cgroups';
import {
  Cgroups,
  Checkpoints,
  type Container,
  type ContainerizerHooks,
  type ContainerStatus,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
  Logger,
  type Recovery,
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { errors } from './errors.js';
import { formatClassid } from './handle.js';
import { HandlePool } from './handle-pool.js';
import { Handles } from './handles.js';
import { type NetClsOptions, WHOLE_RANGE } from './options.js';
import { OthersHandles, readClassid } from './others.js';
import { keepReadOnly } from './protect.js';

const NAME = 'cgroups/net_cls';

@injectable()
export class NetClsIsolator implements Isolator {
  readonly #groups: ContainerCgroups;
  readonly #handles: Handles;
  readonly #others: OthersHandles;
  /** Whose class this isolator knows: the paths of their cgroups, by container. */
  readonly #paths = new Map<string, string>();

  constructor(
    @inject(IsolatorOptions) options: NetClsOptions,
    @inject(Cgroups) cgroups: HostCgroups,
    @inject(Checkpoints) checkpoints: Checkpoints,
    @inject(Logger) private readonly log: Logger,
  ) {
    const { primaryHandle, secondaryHandles = WHOLE_RANGE } = options;
    this.#handles = new Handles(primaryHandle && new HandlePool(primaryHandle, secondaryHandles));
    this.#others = new OthersHandles(this.#handles);
    this.#groups = new ContainerCgroups(cgroups, checkpoints, {
      ...options,
      controllers: ['net_cls'],
      // Classes are no limits that a parent's would bound: who makes a cgroup below its own gives itself any class (C1).
      delegate: false,
    });
  }

  apply(hooks: ContainerizerHooks): void {
    hooks.recover.tapPromise(NAME, (recovery) => this.#recover(recovery));
    hooks.prepare.tapPromise(NAME, (container, plan) => this.#prepare(container, plan));
    hooks.isolate.tapPromise(NAME, (container, pid) => this.#isolate(container, pid));
    hooks.status.tap(NAME, (container, status) => this.#status(container, status));
    hooks.cleanup.tapPromise(NAME, (container) => this.#cleanup(container));
  }

  /** Every class that is in use is known before a new one is given; then who lost his gets one again. */
  async #recover({ containers }: Recovery): Promise<void> {
    const own = containers.filter(ownsCgroups);
    const without = own.filter((container) => !this.#takeUp(container));
    const { pool } = this.#handles;
    if (!pool || without.length === 0) return;
    await withLock(this.#groups.hierarchy(), () => {
      this.#lookAround();
      for (const container of without) this.#repair(container, pool);
    });
  }

  /** True if nothing is missing. */
  #takeUp(container: Container): boolean {
    const { id } = container;
    const cgroup = this.#groups.cgroup(container);
    const classid = readClassid(cgroup);
    if (classid === undefined) {
      this.log.warn({ container: id, cgroup: String(cgroup) }, 'the cgroup of a running container is gone');
      return true;
    }
    if (classid === 0) return false;
    this.#paths.set(id, cgroup.path);
    this.#handles.hold(id, classid);
    if (this.#handles.pool && !this.#handles.pool.has(classid))
      this.log.info(
        { container: id, classid },
        `a running container keeps ${formatClassid(classid)}, which is none of the configured handles`,
      );
    return true;
  }

  /** The one that it had, if that is free. */
  #repair(container: Container, pool: HandlePool): void {
    const { classid: before } = this.#groups.details(container);
    const again =
      typeof before === 'number' && pool.has(before) && this.#handles.isFree(before) ? before : undefined;
    const classid = this.#handles.allocate(pool, container.id, again);
    const cgroup = this.#groups.cgroup(container);
    cgroup.write('net_cls.classid', classid);
    this.#paths.set(container.id, cgroup.path);
    this.#groups.amend(container, { classid });
    this.log.warn({ container: container.id, classid }, 'a running container had lost its network class');
  }

  async #prepare(container: Container, plan: LaunchPlan): Promise<void> {
    this.#refuse(container);
    const { pool } = this.#handles;
    if (pool && ownsCgroups(container)) await this.#createWithHandle(container, pool);
    else this.#groups.create(container);
    await failpoint('cgroups/net_cls.created');
    keepReadOnly(plan, this.#groups.hierarchy().mountPoint);
  }

  #refuse(container: Container): void {
    const { id, config } = container;
    if (config.netClsClassid === undefined) return;
    if (!ownsCgroups(container)) throw errors.SHARES_PARENTS_HANDLE(id);
    if (!this.#handles.pool) throw errors.HANDLES_NOT_MANAGED(id);
  }

  /** Other agents of the host see the class before they choose one. The cgroup has it before any process is in it (C1). */
  async #createWithHandle(container: Container, pool: HandlePool): Promise<void> {
    await withLock(this.#groups.hierarchy(), () => {
      this.#lookAround();
      const classid = this.#handles.allocate(pool, container.id, container.config.netClsClassid);
      this.#groups.create(container, { classid });
      const cgroup = this.#groups.cgroup(container);
      this.#paths.set(container.id, cgroup.path);
      cgroup.write('net_cls.classid', classid);
    });
  }

  #lookAround(): void {
    const ours = new Set(this.#paths.values());
    this.#others.sync(this.#groups.hierarchy(), (path) => ours.has(path));
  }

  /** Class first, then the process, then read back; then the gate may open (C1). */
  async #isolate(container: Container, pid: number): Promise<void> {
    const classid = this.#handles.pool && this.#handles.of(container.id);
    const cgroup = this.#groups.cgroup(container);
    if (classid !== undefined) cgroup.write('net_cls.classid', classid);
    await failpoint('cgroups/net_cls.classified');
    await this.#groups.enter(container, pid);
    await failpoint('cgroups/net_cls.entered');
    if (classid !== undefined) requireKept(container.id, cgroup, classid);
  }

  /** The kernel's word: also what an operator wrote. A nested container that shares has its parent's. */
  #status(container: Container, status: ContainerStatus): void {
    const classid = readClassid(this.#groups.cgroup(container));
    if (classid) status.cgroup_info = { ...status.cgroup_info, net_cls: { classid } };
    const { pool } = this.#handles;
    if (!pool) return;
    const figures = { handles_total: pool.total, handles_free: pool.free };
    status.extensions = { ...status.extensions, [NAME]: figures };
  }

  /** The class is free once its cgroup is gone, not before (C1). */
  async #cleanup(container: Container): Promise<void> {
    await this.#groups.remove(container);
    await failpoint('cgroups/net_cls.removed');
    this.#paths.delete(container.id);
    this.#handles.letGo(container.id);
  }
}

function requireKept(id: string, cgroup: Cgroup, classid: number): void {
  const found = readClassid(cgroup) ?? 0;
  if (found !== classid) throw errors.CLASSID_NOT_KEPT(id, classid, found);
}
