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
import {
  addVolume,
  planVolume,
  type RunningMounts,
  removeVolume,
  sandboxSeenBy,
  supervisorOf,
} from './volumes.js';

/** The persistent volumes of containers, from launch to end. */
export class VolumeMounts {
  /** Where those that are being launched find their sandbox. */
  readonly #sandboxes = new Map<ContainerId, string>();
  readonly #running = new Map<ContainerId, RunningMounts>();

  constructor(
    private readonly host: HostEnvironment,
    private readonly log: Logger,
  ) {}

  /** @throws VOLUME_UNAVAILABLE, VOLUME_IN_USE, VOLUME_PLACE_INVALID */
  plan(container: Container, plan: LaunchPlan): void {
    for (const volume of container.resources.volumes ?? []) planVolume(this.host, container, volume, plan);
    this.#sandboxes.set(container.id, sandboxInside(container, plan));
  }

  /** On its way to the gate, the process is certainly the container's; one that has failed by now, the launcher reports. */
  remember({ id }: Container, pid: number): void {
    const sandbox = this.#sandboxes.get(id);
    this.#sandboxes.delete(id);
    // A DEBUG container has its parent's mounts.
    if (sandbox === undefined) return;
    const supervisor = supervisorOf(pid);
    if (supervisor) this.#running.set(id, { sandbox, supervisor });
  }

  /** After a restart: the core has just made sure whose process it is. */
  takeUp(container: Container): void {
    const { id, pid } = container;
    noteVolumesOf(this.host.workDir, container);
    if (pid === undefined || container.class === 'DEBUG') return;
    try {
      const sandbox = sandboxSeenBy(pid, this.host, container);
      const supervisor = supervisorOf(pid);
      if (supervisor) this.#running.set(id, { sandbox, supervisor });
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
    const mounts = this.#running.get(container.id);
    if (!mounts) throw errors.CONTAINER_GONE(container.id);
    await changePersistentVolumes({
      workDir: host.workDir,
      before,
      after: volumes,
      log,
      add: (volume) => addVolume(host, container, mounts, volume),
      remove: (volume) => removeVolume(host, container, mounts, volume),
    });
  }

  forget(id: ContainerId): void {
    giveBackPersistentVolumes(this.host.workDir, id);
    this.#sandboxes.delete(id);
    this.#running.delete(id);
  }
}
