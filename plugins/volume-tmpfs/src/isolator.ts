/**
 * volume/tmpfs: volumes in memory, empty when a container begins and gone with it. All of it is plan: there is nothing to undo.
 *
 * Throws  VOLUME_TOO_LARGE (errors.ts); VOLUME_TARGET_MISSING, VOLUME_HIDES_SANDBOX (of the SDK)
 * Source  tmpfs(5)
 */
import {
  type Container,
  type ContainerizerHooks,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
  type VolumeOf,
  volumesOf,
  volumeTarget,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import type { TmpfsVolumeOptions } from './options.js';

/** As /tmp has it: everybody in the container may make files there, and remove his own. */
const FOR_ALL = 0o1777;

@injectable()
export class TmpfsVolumeIsolator implements Isolator {
  constructor(@inject(IsolatorOptions) private readonly options: TmpfsVolumeOptions) {}

  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('volume/tmpfs', async (container, plan) => {
      for (const volume of volumesOf(container, 'TMPFS')) this.#mount(container, volume, plan);
    });
  }

  #mount(container: Container, { containerPath, mode, source }: VolumeOf<'TMPFS'>, plan: LaunchPlan): void {
    const { defaultLimit, maximum } = this.options;
    const limit = source.limitBytes ?? Math.min(defaultLimit, maximum ?? defaultLimit);
    if (maximum !== undefined && limit > maximum)
      throw errors.VOLUME_TOO_LARGE(container.id, containerPath, limit, maximum);
    plan.mount({
      type: 'tmpfs',
      ...volumeTarget(container, plan, containerPath, 'directory'),
      flags: ['nosuid', 'nodev', ...(mode === 'RO' ? (['ro'] as const) : [])],
      options: { mode: (source.permissions ?? FOR_ALL).toString(8), size: String(limit) },
    });
  }
}
