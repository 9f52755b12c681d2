/**
 * filesystem/posix: the container sees the host's filesystem, and its sandbox is a directory of it. Isolates nothing:
 * for macOS, for users who aren't root, and for containers that are only to be started and watched. Persistent volumes are
 * links in the sandbox, which go with that.
 *
 * Throws  ROOTFS_UNSUPPORTED, VOLUME_READ_ONLY, VOLUME_PLACE_TAKEN (errors.ts); VOLUME_UNAVAILABLE, VOLUME_IN_USE,
 *         VOLUME_PLACE_INVALID (of the SDK)
 */
import {
  type Container,
  type ContainerizerHooks,
  changePersistentVolumes,
  giveBackPersistentVolumes,
  HostEnvironment,
  type Isolator,
  inject,
  injectable,
  type LaunchPlan,
  Logger,
  noteVolumesOf,
  type Resources,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { linkVolume, unlinkVolume } from './volume-links.js';

@injectable()
export class FilesystemPosixIsolator implements Isolator {
  constructor(
    @inject(HostEnvironment) private readonly host: HostEnvironment,
    @inject(Logger) private readonly log: Logger,
  ) {}

  apply(hooks: ContainerizerHooks): void {
    const name = 'filesystem/posix';
    const { workDir } = this.host;
    hooks.recover.tapPromise(name, async ({ containers }) => {
      for (const each of containers) noteVolumesOf(workDir, each);
    });
    hooks.prepare.tap(name, (container, plan) => this.#prepare(container, plan));
    hooks.update.tapPromise(name, (container, resources) => this.#update(container, resources));
    hooks.cleanup.tap(name, ({ id }) => giveBackPersistentVolumes(workDir, id));
  }

  #prepare(container: Container, plan: LaunchPlan): void {
    const { id, config, sandbox, resources } = container;
    if (config.rootfs !== undefined) throw errors.ROOTFS_UNSUPPORTED(id, config.rootfs);
    plan.setEnvironment('MESOS_SANDBOX', sandbox);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory(sandbox);
    for (const volume of resources.volumes ?? []) linkVolume(this.host, container, volume);
  }

  #update(container: Container, { volumes }: Resources): Promise<void> {
    return changePersistentVolumes({
      workDir: this.host.workDir,
      before: container.resources.volumes,
      after: volumes,
      log: this.log,
      add: (volume) => linkVolume(this.host, container, volume),
      remove: (volume) => unlinkVolume(this.host, container, volume, this.log),
    });
  }
}
