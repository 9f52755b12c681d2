/**
 * filesystem/posix: the container sees the host's filesystem, and its sandbox is a directory of it. Isolates nothing:
 * for macOS, for users who aren't root, and for containers that are only to be started and watched.
 *
 * Throws  ROOTFS_UNSUPPORTED (errors.ts)
 */
import {
  type Container,
  type ContainerizerHooks,
  type Isolator,
  injectable,
  type LaunchPlan,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';

@injectable()
export class FilesystemPosixIsolator implements Isolator {
  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('filesystem/posix', async (container, plan) => this.#prepare(container, plan));
  }

  #prepare({ id, config, sandbox }: Container, plan: LaunchPlan): void {
    if (config.rootfs !== undefined) throw errors.ROOTFS_UNSUPPORTED(id, config.rootfs);
    plan.setEnvironment('MESOS_SANDBOX', sandbox);
    if (plan.data.workingDirectory === undefined) plan.setWorkingDirectory(sandbox);
  }
}
