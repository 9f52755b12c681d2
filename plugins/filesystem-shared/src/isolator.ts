/**
 * filesystem/shared: a container sees the filesystem of the host, but for the directories that its volumes make private, a
 * /tmp of its own above all. The mounts are in the launch plan, in a mount namespace of the container; on the host only
 * directories of its sandbox are made, which go with that: there is nothing to undo.
 *
 * Throws  ROOTFS_UNSUPPORTED, PARENT_NOT_RUNNING, VOLUMES_COLLIDE, and what views.ts throws (errors.ts)
 * Source  mount_namespaces(7)
 */
import {
  type Container,
  type ContainerizerHooks,
  HostEnvironment,
  type Isolator,
  inject,
  injectable,
  type LaunchPlan,
  volumeMount,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { outerFirst, type View, viewOf } from './views.js';

@injectable()
export class FilesystemSharedIsolator implements Isolator {
  constructor(@inject(HostEnvironment) private readonly host: HostEnvironment) {}

  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('filesystem/shared', async (container, plan) => this.#prepare(container, plan));
  }

  #prepare(container: Container, plan: LaunchPlan): void {
    const { id, config, sandbox, parent } = container;
    if (config.rootfs !== undefined) throw errors.ROOTFS_UNSUPPORTED(id, config.rootfs);
    plan.setEnvironment('MESOS_SANDBOX', sandbox);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory(sandbox);
    // What its parent sees, it sees too, and its own volumes on that.
    if (parent && hasNamespace(parent)) enterParent(container, plan);
    if (container.class === 'DEBUG' || !hasNamespace(container)) return;
    plan.createNamespace('mount');
    for (const view of this.#viewsOf(container)) plan.mount(volumeMount(view));
  }

  #viewsOf(container: Container): View[] {
    const views = new Map<string, { view: View; path: string }>();
    for (const volume of container.config.volumes ?? []) {
      const view = viewOf(this.host, container, volume);
      const path = volume.containerPath;
      const other = views.get(view.target);
      if (other) throw errors.VOLUMES_COLLIDE(container.id, other.path, path, view.target);
      views.set(view.target, { view, path });
    }
    return outerFirst([...views.values()].map(({ view }) => view));
  }
}

/** It, or what it is nested in, has a volume. */
const hasNamespace = ({ config, parent }: Container): boolean =>
  (config.volumes?.length ?? 0) > 0 || (parent !== undefined && hasNamespace(parent));

function enterParent({ id, parentId = '', parentPid }: Container, plan: LaunchPlan): void {
  if (parentPid === undefined) throw errors.PARENT_NOT_RUNNING(id, parentId);
  plan.enterNamespace('mount', parentPid);
}
