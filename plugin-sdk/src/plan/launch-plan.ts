import type { ResolvedUser } from '../container.js';
import type { Rlimit, RlimitName } from '../container-config.js';
import { planErrors } from './errors.js';
import { type FileOperation, isBind, type Mount } from './mount.js';

export const NAMESPACE_KINDS = ['mount', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'time'] as const;
export type NamespaceKind = (typeof NAMESPACE_KINDS)[number];

/** Names without `CAP_`. `all` is every capability the kernel knows. */
export interface PlannedCapabilities {
  /** Absent: as the kernel has it at an exec: all of the bounding set for root, none for others. */
  readonly effective?: readonly string[] | 'all' | undefined;
  readonly bounding: readonly string[] | 'all';
}

/** A process by more than its number, which may be another's by the time of the launch: as `identify` of @caisson/linux/process says. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly bootId: string;
  readonly pidfsHandle?: string | undefined;
  readonly startTime?: number | undefined;
}

/** The namespace of a process; of any other than the container's parent with its identity. */
export interface EnteredNamespace {
  kind: NamespaceKind;
  pid: number;
  identity?: ProcessIdentity;
}

/** The plan as plain data: checkpointed, printed by `caisson inspect`. */
export interface LaunchPlanData {
  executable?: string;
  argv: string[];
  environment: Record<string, string>;
  workingDirectory?: string;
  user?: ResolvedUser;
  supplementaryGids: number[];
  namespaces: { create: NamespaceKind[]; enter: EnteredNamespace[] };
  rootfs?: string;
  mounts: Mount[];
  fileOperations: FileOperation[];
  maskedPaths: string[];
  readOnlyPaths: string[];
  rlimits: Partial<Record<RlimitName, Rlimit>>;
  capabilities?: PlannedCapabilities;
  noNewPrivileges: boolean;
  privileged: boolean;
  oomScoreAdj: number;
  init: boolean;
  dieWithParent: boolean;
  stdio: 'files' | 'inherit' | 'terminal' | 'pipes';
  windowSize?: { columns: number; rows: number };
}

/**
 * What a launch shall do. Isolators add to it in `prepare`; a contradiction is refused where it is made, naming
 * both isolators. Launchers read `data`.
 */
export class LaunchPlan {
  readonly data: LaunchPlanData;
  /** Who is adding now: set by the core around each tap. */
  contributor = 'the configuration';
  readonly #setBy = new Map<string, string>();
  readonly #ownVariables: ReadonlySet<string>;
  readonly #askedBy = new Map<keyof LaunchPlanData, Set<string>>();

  constructor(start: Pick<LaunchPlanData, 'argv'> & Partial<LaunchPlanData>) {
    this.data = {
      environment: {},
      supplementaryGids: [],
      namespaces: { create: [], enter: [] },
      mounts: [],
      fileOperations: [],
      maskedPaths: [],
      readOnlyPaths: [],
      rlimits: {},
      noNewPrivileges: true,
      privileged: false,
      oomScoreAdj: 0,
      init: false,
      dieWithParent: false,
      stdio: 'files',
      ...start,
    };
    this.#ownVariables = new Set(Object.keys(this.data.environment));
    for (const [key, what] of SINGLE_VALUES)
      if (this.data[key] !== undefined) this.#setBy.set(what, this.contributor);
  }

  /** The container gets a namespace of its own. Two isolators may ask for the same one. */
  createNamespace(kind: NamespaceKind): void {
    this.#credit('namespaces');
    if (
      this.data.namespaces.enter.some((entered) => entered.kind === kind) &&
      kind !== 'pid' &&
      kind !== 'mount'
    )
      this.#conflict(`${kind} namespace`, `enter ${kind}`);
    if (!this.data.namespaces.create.includes(kind)) this.data.namespaces.create.push(kind);
    this.#remember(`create ${kind}`);
  }

  /**
   * The container is started in the namespace of a process.
   * @param process  the number is enough of the container's own parent (`parentPid`), which the launcher knows; any other by its
   *                 identity, taken while the number is surely its own: of a child that is not reaped, or of a pidfd that you hold
   */
  enterNamespace(kind: NamespaceKind, process: number | ProcessIdentity): void {
    this.#credit('namespaces');
    const namespace =
      typeof process === 'number' ? { pid: process } : { pid: process.pid, identity: process };
    const entered = this.data.namespaces.enter.find((e) => e.kind === kind);
    if (entered && entered.pid !== namespace.pid)
      this.#conflict(`${kind} namespace to enter`, `enter ${kind}`);
    if (entered) Object.assign(entered, namespace);
    else this.data.namespaces.enter.push({ kind, ...namespace });
    this.#remember(`enter ${kind}`);
  }

  /** A directory of the host that becomes `/`. */
  setRootfs(directory: string): void {
    this.#credit('rootfs');
    this.#once('root filesystem');
    this.#requireAbsolute('root filesystem', directory);
    this.data.rootfs = directory;
  }

  /** Inside the container. */
  setWorkingDirectory(path: string): void {
    this.#once('working directory');
    this.#requireAbsolute('working directory', path);
    this.data.workingDirectory = path;
  }

  setUser(user: ResolvedUser): void {
    this.#once('user');
    this.data.user = user;
  }

  addSupplementaryGroup(gid: number): void {
    this.#credit('supplementaryGids');
    if (!this.data.supplementaryGids.includes(gid)) this.data.supplementaryGids.push(gid);
  }

  /** Mounts happen in the order they were added, which is the isolators' order. */
  mount(mount: Mount): void {
    this.#credit('mounts');
    this.#requireInside('a mount at', mount.target);
    if (isBind(mount)) {
      this.#requireAbsolute('a bind mount of', mount.source);
      if (mount.below !== undefined) this.#requireInside('a bind mount of', `/${mount.below}`);
    }
    // A copy: an isolator may add the same one twice, and a launcher tells them apart.
    this.data.mounts.push({ ...mount });
  }

  fileOperation(operation: FileOperation): void {
    this.#credit('fileOperations');
    this.#requireInside(`a ${operation.kind} of`, operation.path);
    this.data.fileOperations.push({ ...operation });
  }

  /** Nothing of the path can be read: an empty read-only directory, or /dev/null. Absent paths are skipped. */
  maskPath(path: string): void {
    this.#credit('maskedPaths');
    this.#requireInside('a masked path', path);
    if (!this.data.maskedPaths.includes(path)) this.data.maskedPaths.push(path);
  }

  /** Absent paths are skipped. */
  makeReadOnly(path: string): void {
    this.#credit('readOnlyPaths');
    this.#requireInside('a read-only path', path);
    if (!this.data.readOnlyPaths.includes(path)) this.data.readOnlyPaths.push(path);
  }

  /** A variable set twice with different values is refused; the container's own configuration wins over isolators. */
  setEnvironment(name: string, value: string): void {
    if (!isVariable(name, value))
      throw planErrors.PLAN_INVALID(this.contributor, 'a variable', name, 'a name has no "=" and no NUL');
    if (this.#ownVariables.has(name)) return;
    const what = `variable ${name}`;
    const before = this.#setBy.get(what);
    if (before !== undefined && before !== this.contributor && this.data.environment[name] !== value)
      this.#conflict(what, what);
    this.data.environment[name] = value;
    this.#remember(what);
  }

  setRlimit(name: RlimitName, limit: Rlimit): void {
    this.#credit('rlimits');
    this.#once(`limit ${name}`);
    this.data.rlimits[name] = limit;
  }

  setCapabilities(capabilities: PlannedCapabilities): void {
    this.#credit('capabilities');
    this.#once('set of capabilities');
    this.data.capabilities = capabilities;
  }

  setNoNewPrivileges(value: boolean): void {
    this.#once('no-new-privileges');
    this.data.noNewPrivileges = value;
  }

  toJSON(): LaunchPlanData {
    return this.data;
  }

  /** Who added to a part of the plan: for a launcher that has to refuse it. */
  askedBy(part: keyof LaunchPlanData): readonly string[] {
    return [...(this.#askedBy.get(part) ?? [])];
  }

  #credit(part: keyof LaunchPlanData): void {
    const who = this.#askedBy.get(part);
    if (who) who.add(this.contributor);
    else this.#askedBy.set(part, new Set([this.contributor]));
  }

  #remember(what: string): void {
    if (!this.#setBy.has(what)) this.#setBy.set(what, this.contributor);
  }

  #once(what: string): void {
    if (this.#setBy.has(what)) this.#conflict(what, what);
    this.#setBy.set(what, this.contributor);
  }

  #conflict(what: string, key: string): never {
    throw planErrors.PLAN_CONFLICT(what, this.#setBy.get(key) ?? 'the configuration', this.contributor);
  }

  #requireAbsolute(what: string, path: unknown): void {
    if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0'))
      throw planErrors.PLAN_INVALID(this.contributor, what, path, 'it must be an absolute path without NUL');
  }

  #requireInside(what: string, path: unknown): void {
    this.#requireAbsolute(what, path);
    if ((path as string).includes('/..') && (path as string).split('/').includes('..'))
      throw planErrors.PLAN_INVALID(this.contributor, what, path, '".." could lead out of the container');
  }
}

/** `__proto__` would be no variable but the prototype of all of them (threat model K4). */
const isVariable = (name: string, value: string): boolean =>
  name !== '' && name !== '__proto__' && !name.includes('=') && !name.includes('\0') && !value.includes('\0');

const SINGLE_VALUES = [
  ['rootfs', 'root filesystem'],
  ['workingDirectory', 'working directory'],
  ['user', 'user'],
  ['capabilities', 'set of capabilities'],
] as const;
