/**
 * filesystem/linux: a mount namespace per container, and, if the container asks for one, a directory of the host as its
 * root filesystem with /proc, /sys, /dev and the sandbox in it. Persistent volumes are mounted in the sandbox, and come and go
 * while the container runs. Nothing is mounted on the host: all of it is plan, or in the container's namespace, so there is
 * nothing to undo.
 *
 * Throws  ROOTFS_INVALID, ROOTFS_HOLDS_STATE, ROOTFS_REACHABLE, DEBUG_ROOTFS, PARENT_NOT_RUNNING, CONTAINER_GONE, VOLUME_* (errors.ts);
 *         VOLUME_UNAVAILABLE, VOLUME_IN_USE, VOLUME_PLACE_INVALID (of the SDK)
 * Source  mount_namespaces(7), pivot_root(2)
 */
import {
  type Container,
  type ContainerizerHooks,
  HostEnvironment,
  hasRootfs,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
  Logger,
  placeInSandbox,
} from '@caisson/plugin-sdk';
import { DEVICE_FILES } from './devices.js';
import { errors } from './errors.js';
import { protectHostSys, protectKernelPaths } from './kernel-paths.js';
import type { FilesystemLinuxOptions } from './options.js';
import { isReachableByOthers, resolveRootFilesystem } from './root-filesystem.js';
import { SHARED_MEMORY, SYSTEM_MOUNTS } from './system-mounts.js';
import { VolumeMounts } from './volume-mounts.js';

@injectable()
export class FilesystemLinuxIsolator implements Isolator {
  readonly #warned = new Set<string>();
  readonly #volumes: VolumeMounts;

  constructor(
    @inject(IsolatorOptions) private readonly options: FilesystemLinuxOptions,
    @inject(HostEnvironment) private readonly host: HostEnvironment,
    @inject(Logger) private readonly log: Logger,
  ) {
    this.#volumes = new VolumeMounts(host, log);
  }

  apply(hooks: ContainerizerHooks): void {
    const name = 'filesystem/linux';
    const volumes = this.#volumes;
    hooks.recover.tapPromise(name, async ({ containers }) => {
      for (const each of containers) volumes.takeUp(each);
    });
    hooks.prepare.tap(name, (container, plan) => this.#prepare(container, plan));
    hooks.update.tapPromise(name, (container, resources) => volumes.update(container, resources));
    hooks.cleanup.tap(name, ({ id }) => volumes.forget(id));
  }

  #prepare(container: Container, plan: LaunchPlan): void {
    if (container.parentId !== undefined && container.class === 'DEBUG') {
      // It looks into its parent: in its mount namespace, where everything is set up.
      if (container.config.rootfs !== undefined) throw errors.DEBUG_ROOTFS(container.id);
      enterParent(container, container.parentId, plan);
    } else this.#createNamespace(container, plan);
  }

  #createNamespace(container: Container, plan: LaunchPlan): void {
    plan.createNamespace('mount');
    protectKernelPaths(plan);
    const { rootfs } = container.config;
    if (rootfs !== undefined) this.#changeRoot(container, rootfs, plan);
    else if (container.parentId !== undefined) this.#shareParentsTree(container, container.parentId, plan);
    else this.#shareHostsTree(container, plan);
    this.#volumes.plan(container, plan);
  }

  /** What its parent sees, with mounts of its own on it. Without, the files of the host would be those of a container. */
  #shareParentsTree(container: Container, parentId: string, plan: LaunchPlan): void {
    enterParent(container, parentId, plan);
    if (!container.parent || !hasRootfs(container.parent)) {
      this.#shareHostsTree(container, plan);
      return;
    }
    this.#mountSandbox(container, plan);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory('/');
  }

  #shareHostsTree({ sandbox }: Container, plan: LaunchPlan): void {
    protectHostSys(plan);
    plan.setEnvironment('MESOS_SANDBOX', sandbox);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory(sandbox);
  }

  #changeRoot(container: Container, rootfs: string, plan: LaunchPlan): void {
    const { workDir, runtimeDir, isolation } = this.host;
    const directory = resolveRootFilesystem(container.id, rootfs, [workDir, runtimeDir]);
    this.#keepOthersOut(container.id, directory);
    plan.setRootfs(directory);
    this.#mountSandbox(container, plan);
    for (const mount of SYSTEM_MOUNTS) plan.mount(mount);
    if (!isolation.includes('namespaces/ipc')) plan.mount(SHARED_MEMORY);
    for (const operation of DEVICE_FILES) plan.fileOperation(operation);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory('/');
  }

  /** Before /proc, /sys and /dev: a link of the image at its mount point may lead there, and they must come out on top. */
  #mountSandbox(container: Container, plan: LaunchPlan): void {
    const { sandboxDirectory } = this.options;
    const { base, below } = placeInSandbox(this.host, container);
    plan.setEnvironment('MESOS_SANDBOX', sandboxDirectory);
    plan.mount({
      type: 'bind',
      // That of a nested container lies in a tree that its parent writes (threat model F8).
      ...(container.parentId === undefined ? { source: container.sandbox } : { source: base, below }),
      target: sandboxDirectory,
      recursive: true,
      flags: ['nosuid', 'nodev'],
      createTarget: 'directory',
    });
  }

  #keepOthersOut(id: string, rootfs: string): void {
    if (this.#warned.has(rootfs) || !isReachableByOthers(rootfs)) return;
    const error = errors.ROOTFS_REACHABLE(id, rootfs);
    if (this.options.reachableRootfs === 'refuse') throw error;
    this.#warned.add(rootfs);
    this.log.warn({ containerId: id, rootfs, hint: error.hint }, error.message);
  }
}

function enterParent({ id, parentPid }: Container, parentId: string, plan: LaunchPlan): void {
  if (parentPid === undefined) throw errors.PARENT_NOT_RUNNING(id, parentId);
  plan.enterNamespace('mount', parentPid);
}
