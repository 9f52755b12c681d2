import {
  type Container,
  type ContainerId,
  changePersistentVolumes,
  giveBackPersistentVolumes,
  type HostEnvironment,
  type LaunchPlan,
  type Logger,
  messageOf,
  noteVolumesOf,
  type Resources,
  sandboxInside,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { addVolume, planVolume, removeVolume, sandboxSeenBy } from './volumes.js';

/** The persistent volumes of containers, from launch to end. */
export class VolumeMounts {
  /** Where those with a mount namespace of their own find their sandbox; a DEBUG container has its parent's mounts. */
  readonly #sandboxes = new Map<ContainerId, string>();

  constructor(
    private readonly host: HostEnvironment,
    private readonly log: Logger,
  ) {}

  /** @throws VOLUME_UNAVAILABLE, VOLUME_IN_USE, VOLUME_PLACE_INVALID */
  plan(container: Container, plan: LaunchPlan): void {
    for (const volume of container.resources.volumes ?? []) planVolume(this.host, container, volume, plan);
    this.#sandboxes.set(container.id, sandboxInside(container, plan));
  }

  /** After a restart. */
  takeUp(container: Container): void {
    const { id, pid } = container;
    noteVolumesOf(this.host.workDir, container);
    if (pid === undefined || container.class === 'DEBUG') return;
    try {
      this.#sandboxes.set(id, sandboxSeenBy(pid, this.host, container));
    } catch (error) {
      this.log.warn(
        { container: id, error: messageOf(error) },
        'the volumes of a container cannot be changed',
      );
    }
  }

  /** @throws CONTAINER_GONE, VOLUME_*; the container has then what it had */
  async update(container: Container, { volumes }: Resources): Promise<void> {
    const { host, log } = this;
    const before = container.resources.volumes;
    if (before === undefined && volumes === undefined) return;
    const sandbox = this.#sandboxes.get(container.id);
    if (sandbox === undefined) throw errors.CONTAINER_GONE(container.id);
    await changePersistentVolumes({
      workDir: host.workDir,
      before,
      after: volumes,
      log,
      add: (volume) => addVolume(host, container, sandbox, volume),
      remove: (volume) => removeVolume(host, container, sandbox, volume),
    });
  }

  forget(id: ContainerId): void {
    giveBackPersistentVolumes(this.host.workDir, id);
    this.#sandboxes.delete(id);
  }
}
