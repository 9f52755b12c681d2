/**
 * filesystem/shared: a container sees the filesystem of the host, but for the directories that its volumes make private, a
 * /tmp of its own above all. The mounts are in the launch plan, in a mount namespace of the container; on the host only
 * directories of its sandbox are made, which go with that: there is nothing to undo.
 *
 * Throws  ROOTFS_UNSUPPORTED, PARENT_NOT_RUNNING, and what views.ts throws (errors.ts)
 * Source  mount_namespaces(7)
 */
import {
  type Container,
  type ContainerId,
  type ContainerizerHooks,
  HostEnvironment,
  type Isolator,
  inject,
  injectable,
  type LaunchPlan,
  volumeMount,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { type Owner, ownView, type View, withOwn } from './views.js';

@injectable()
export class FilesystemSharedIsolator implements Isolator {
  /** What a container needs of those that it is nested in. */
  readonly #containers = new Map<ContainerId, Owner>();

  constructor(@inject(HostEnvironment) private readonly host: HostEnvironment) {}

  apply(hooks: ContainerizerHooks): void {
    const name = 'filesystem/shared';
    hooks.recover.tapPromise(name, async ({ containers }) => {
      for (const each of containers) this.#containers.set(each.id, each);
    });
    hooks.prepare.tapPromise(name, async (container, plan) => this.#prepare(container, plan));
    hooks.cleanup.tapPromise(name, async ({ id }) => {
      this.#containers.delete(id);
    });
  }

  #prepare(container: Container, plan: LaunchPlan): void {
    const { id, config, sandbox } = container;
    if (config.rootfs !== undefined) throw errors.ROOTFS_UNSUPPORTED(id, config.rootfs);
    this.#containers.set(id, container);
    plan.setEnvironment('MESOS_SANDBOX', sandbox);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory(sandbox);
    const inherited = this.#viewsOf(container.parentId);
    if (container.class === 'DEBUG') {
      if (inherited.length > 0) enterParent(container, plan);
      return;
    }
    const views = withOwn(inherited, this.#makeViews(container));
    if (views.length === 0) return;
    plan.createNamespace('mount');
    for (const view of views) plan.mount(volumeMount(view));
  }

  #makeViews(container: Container): View[] {
    const parent = this.#containers.get(container.parentId ?? '');
    const volumes = container.config.volumes ?? [];
    const views: View[] = [];
    for (const [index, volume] of volumes.entries()) {
      const view = ownView(this.host, container, parent, volume, { make: true });
      const same = views.findIndex(({ target }) => target === view.target);
      if (same >= 0)
        throw errors.VOLUMES_COLLIDE(
          container.id,
          volumes[same]!.containerPath,
          volumes[index]!.containerPath,
          view.target,
        );
      views.push(view);
    }
    return views;
  }

  /** What a container sees in place of the directories of the host: its own volumes, and those of what it is nested in. */
  #viewsOf(id: ContainerId | undefined): View[] {
    const container = this.#containers.get(id ?? '');
    if (!container) return [];
    const parent = this.#containers.get(container.parentId ?? '');
    const own = (container.config.volumes ?? []).map((volume) =>
      ownView(this.host, container, parent, volume, { make: false }),
    );
    return withOwn(this.#viewsOf(container.parentId), own);
  }
}

function enterParent({ id, parentId = '', parentPid }: Container, plan: LaunchPlan): void {
  if (parentPid === undefined) throw errors.PARENT_NOT_RUNNING(id, parentId);
  plan.enterNamespace('mount', parentPid);
}
