import { isErrno } from '../errors.js';
import type { Cgroup } from './cgroup.js';
import { cgroupErrors } from './cgroup-error.js';
import type { Cgroups } from './cgroups.js';
import { type CgroupContainer, containerPath, LEAF, lineage, ownsCgroups } from './container-path.js';
import {
  isOurRoot,
  isUnused,
  makeIfAbsent,
  makeRoot,
  removeRoot,
  removeUnmarkedAbove,
} from './container-root.js';
import { enableControllers } from './controllers.js';
import { killAll, removeAll } from './end-of-life.js';
import { enterCgroup } from './enter.js';
import type { Hierarchy } from './hierarchy.js';
import { readMark, writeMark } from './mark.js';

/** Another agent may remove the empty root while we make something in it. */
const TRIES = 3;

/** `root`, `hierarchy` and `destroyTimeout` as an isolator has them from the SDK's `cgroupOptions`. */
export interface ContainerCgroupsSettings {
  /**
   * Of one isolator, by their version 1 names: `['cpu', 'cpuacct']`. Where the first is in version 2, the others belong to it
   * or are not needed.
   */
  readonly controllers: readonly [string, ...string[]];
  /** The cgroup that containers are below: `caisson`. It is made with the first and removed with the last. */
  readonly root: string;
  /** The directory where a hierarchy is mounted that is not yet, below its controller's name. */
  readonly hierarchy: string;
  /** The user of a container may make cgroups below its own; the files, and so the limits, stay root's. */
  readonly delegate: boolean;
  /** How long the kernel may take to let a cgroup go, in milliseconds. */
  readonly destroyTimeout: number;
}

/** What survives a restart: the SDK's Checkpoints. */
export interface CgroupStore {
  get(containerId: string): unknown;
  set(containerId: string, value: unknown): void;
  delete(containerId: string): void;
}

/** The SDK's Logger is one. */
export interface CgroupLog {
  warn(fields: object, message: string): void;
}

interface Checkpoint {
  /** A restart may come with another one. */
  readonly root: string;
  /** Nobody else had made it when this container began. */
  readonly rootIsOurs: boolean;
}

/**
 * The cgroups of containers in the hierarchies of one isolator. Isolators whose controllers are in one hierarchy (version 2,
 * or mounted together) have one and the same cgroup, marked with the container that it belongs to.
 *
 * A nested container shares those of the container it is nested in, unless its configuration says `shareCgroups: false`.
 */
export class ContainerCgroups {
  /** As they are in the store. */
  readonly #known = new Map<string, Readonly<Record<string, unknown>>>();

  constructor(
    private readonly cgroups: Cgroups,
    private readonly store: CgroupStore,
    private readonly settings: ContainerCgroupsSettings,
  ) {}

  /**
   * The hierarchy of a controller, mounted if it is not.
   * @throws CGROUP_UNAVAILABLE
   */
  hierarchy(controller: string = this.settings.controllers[0]): Hierarchy {
    const directory = `${this.settings.hierarchy}/${controller}`;
    let found: Hierarchy | undefined;
    try {
      found = this.cgroups.ensure(controller, directory);
    } catch (error) {
      throw cgroupErrors.CGROUP_UNAVAILABLE(controller, directory, (error as Error).message, error);
    }
    if (!found) throw cgroupErrors.CGROUP_UNAVAILABLE(controller, directory, 'this kernel does not have it');
    return found;
  }

  /** Where the container's usage is counted and its limits are: its own, or the nearest one that it shares. */
  cgroup(container: CgroupContainer, controller: string = this.settings.controllers[0]): Cgroup {
    const first = this.hierarchy();
    return this.#countedIn(first.version === 2 ? first : this.hierarchy(controller), container);
  }

  /** Undefined for a nested container that shares: what there is to say of its cgroup is said of its parent. */
  own(container: CgroupContainer): Cgroup | undefined {
    return ownsCgroups(container) ? this.cgroup(container) : undefined;
  }

  /** As `cgroup`, in each hierarchy of this isolator. */
  all(container: CgroupContainer): Cgroup[] {
    return this.#hierarchies().map((hierarchy) => this.#countedIn(hierarchy, container));
  }

  /**
   * Makes the container's own cgroups; what a nested one shares is there already. May be called by several isolators.
   *
   * @param details  to be kept with the checkpoint of the container
   * @throws CGROUP_TAKEN, CGROUP_UNAVAILABLE, CGROUP_NOT_HANDED_ON, CGROUP_NESTED_TOO_DEEP; SyscallError
   */
  create(container: CgroupContainer, details: object = {}): void {
    if (ownsCgroups(container) && lineage(container.id).length > 2)
      throw cgroupErrors.CGROUP_NESTED_TOO_DEEP(container.id);
    const root = this.#rootOf(container.id);
    const hierarchies = this.#hierarchies();
    const rootIsOurs = hierarchies.every((hierarchy) => isOurRoot(hierarchy.cgroup(root)));
    // Before anything is made: a launch that is cut off is cleaned up by it.
    this.#remember(container.id, { ...details, root, rootIsOurs });
    for (const hierarchy of hierarchies) retried(() => this.#createIn(hierarchy, root, container));
  }

  /** What `create` was given, by this process or an earlier one. */
  details({ id }: Pick<CgroupContainer, 'id'>): Readonly<Record<string, unknown>> {
    const known = this.#known.get(id);
    if (known) return known;
    const found = this.store.get(id);
    if (typeof found !== 'object' || found === null) return {};
    this.#known.set(id, found as Record<string, unknown>);
    return found as Record<string, unknown>;
  }

  /** Changes what `details` gives. */
  amend({ id }: Pick<CgroupContainer, 'id'>, details: object): void {
    this.#remember(id, { ...this.details({ id }), ...details });
  }

  #remember(id: string, details: Record<string, unknown>): void {
    this.store.set(id, details);
    this.#known.set(id, details);
  }

  /**
   * Moves the first process into the container's cgroups, and reads back that it is there.
   * @throws CGROUP_NOT_ENTERED; SyscallError  ESRCH it has ended
   */
  async enter(container: CgroupContainer, pid: number): Promise<void> {
    for (const hierarchy of this.#hierarchies()) {
      const cgroup = this.#processesIn(hierarchy, container);
      await enterCgroup(cgroup, pid);
      const found = hierarchy.cgroupOf(pid);
      if (found?.path !== cgroup.path)
        throw cgroupErrors.CGROUP_NOT_ENTERED(container.id, pid, String(cgroup), found && String(found));
    }
  }

  /** Calls back once, before the container's own cgroup goes, by this isolator or another one that has the same. */
  beforeRemoval(container: CgroupContainer, look: () => void): void {
    const cgroup = this.own(container);
    if (cgroup) this.cgroups.lastLooks.before(cgroup, look);
  }

  /**
   * Removes the container's own cgroups, and the root with the last. Ends who is still in them: they are the container's.
   * Accepts a container that has none, and one that this process never saw.
   *
   * @throws SyscallError  EBUSY something does not end; may be called again
   */
  async remove(container: CgroupContainer): Promise<void> {
    const root = this.#rootOf(container.id);
    const { rootIsOurs = false } = this.details(container) as Partial<Checkpoint>;
    for (const hierarchy of this.#mounted()) {
      const cgroup = hierarchy.cgroup(containerPath(root, container.id));
      this.cgroups.lastLooks.take(cgroup);
      if (isOurs(cgroup, container)) await this.#removeOne(cgroup, root);
      removeRoot(hierarchy, root, rootIsOurs);
    }
    this.store.delete(container.id);
    this.#known.delete(container.id);
  }

  /** Which of its own cgroups a recovered container has lost. */
  missing(container: CgroupContainer): string[] {
    if (!ownsCgroups(container)) return [];
    return this.#hierarchies()
      .map((hierarchy) => this.#ownIn(hierarchy, container))
      .filter((cgroup) => !cgroup.exists())
      .map(String);
  }

  /** All that is to do after a restart where the kernel has kept everything else. */
  warnOfMissing(containers: readonly CgroupContainer[], log: CgroupLog): void {
    for (const container of containers)
      for (const cgroup of this.missing(container))
        log.warn({ container: container.id, cgroup }, 'the cgroup of a running container is gone');
  }

  async #removeOne(cgroup: Cgroup, root: string): Promise<void> {
    const { destroyTimeout: timeoutMs } = this.settings;
    if (cgroup.allPids().length > 0) await killAll(cgroup, { timeoutMs });
    await removeAll(cgroup, { timeoutMs });
    removeUnmarkedAbove(cgroup, root);
  }

  #createIn(hierarchy: Hierarchy, root: string, container: CgroupContainer): void {
    const own = ownsCgroups(container);
    if (!own && hierarchy.version === 1) return;
    makeRoot(hierarchy, root);
    const cgroup = this.#ownIn(hierarchy, container);
    claim(cgroup, container);
    if (hierarchy.version === 2) this.#completeUnified(cgroup, own);
    const { user } = container;
    if (own && this.settings.delegate && user) cgroup.setOwner(user.uid, user.gid);
  }

  /** A nested one that shares gets no controllers of its own: a place to keep its processes together. */
  #completeUnified(cgroup: Cgroup, own: boolean): void {
    const [controller] = this.settings.controllers;
    if (own) handOn(cgroup, controller);
    makeIfAbsent(cgroup.child(LEAF));
  }

  #ownIn(hierarchy: Hierarchy, { id }: CgroupContainer): Cgroup {
    return hierarchy.cgroup(containerPath(this.#rootOf(id), id));
  }

  #countedIn(hierarchy: Hierarchy, container: CgroupContainer): Cgroup {
    if (ownsCgroups(container)) return this.#ownIn(hierarchy, container);
    const root = this.#rootOf(container.id);
    const above = lineage(container.id)
      .slice(1)
      .map((id) => hierarchy.cgroup(containerPath(root, id)));
    return above.find((cgroup) => hasController(cgroup, this.settings.controllers[0])) ?? above.at(-1)!;
  }

  /** In version 2 each has a leaf of its own, so that it can be told from its parent's, and ended alone. */
  #processesIn(hierarchy: Hierarchy, container: CgroupContainer): Cgroup {
    if (hierarchy.version === 1) return this.#countedIn(hierarchy, container);
    return this.#ownIn(hierarchy, container).child(LEAF);
  }

  /** The root that the outermost container was launched with: what is nested is below it. */
  #rootOf(id: string): string {
    const outermost = lineage(id).at(-1)!;
    for (const each of [id, outermost]) {
      const { root } = this.details({ id: each }) as Partial<Checkpoint>;
      if (typeof root === 'string') return root;
    }
    return this.settings.root;
  }

  #hierarchies(): Hierarchy[] {
    const first = this.hierarchy();
    if (first.version === 2) return [first];
    return distinct(this.settings.controllers.map((controller) => this.hierarchy(controller)));
  }

  /** Nothing is mounted in order to remove what can't be there. */
  #mounted(): Hierarchy[] {
    const found = this.settings.controllers.flatMap((controller) => this.cgroups.find(controller) ?? []);
    return distinct(found[0]?.version === 2 ? found.slice(0, 1) : found);
  }
}

const distinct = <T>(items: readonly T[]): T[] => [...new Set(items)];

function retried(attempt: () => void): void {
  for (let left = TRIES; ; left -= 1) {
    try {
      attempt();
      return;
    } catch (error) {
      if (left <= 1 || !isErrno(error, 'ENOENT', 'ENODEV')) throw error;
    }
  }
}

/** One without a mark and without processes is what a launch that was cut off has left. */
function isOurs(cgroup: Cgroup, { runtimeDirectory }: CgroupContainer): boolean {
  const mark = readMark(cgroup);
  return mark === undefined ? isUnused(cgroup) : mark === runtimeDirectory;
}

/** Makes it, or takes the one that another isolator has made for the same container. */
function claim(cgroup: Cgroup, container: CgroupContainer): void {
  const made = makeIfAbsent(cgroup);
  if (!made && !cgroup.exists())
    throw cgroupErrors.CGROUP_TAKEN(container.id, String(cgroup), 'a control file of the kernel', []);
  if (!made && !isOurs(cgroup, container))
    throw cgroupErrors.CGROUP_TAKEN(container.id, String(cgroup), readMark(cgroup), cgroup.allPids());
  writeMark(cgroup, container.runtimeDirectory);
}

function handOn(cgroup: Cgroup, controller: string): void {
  try {
    enableControllers(cgroup, [controller]);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV') && !cgroup.exists()) throw error; // the root went meanwhile
    throw cgroupErrors.CGROUP_NOT_HANDED_ON(String(cgroup), [controller], error);
  }
}

function hasController(cgroup: Cgroup, controller: string): boolean {
  if (!cgroup.exists()) return false;
  return cgroup.hierarchy.version === 1 || cgroup.read('cgroup.controllers').split(' ').includes(controller);
}
