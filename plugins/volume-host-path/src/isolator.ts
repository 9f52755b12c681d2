/**
 * volume/host_path: directories and files of the host in a container. The mounts are in the launch plan; on the host at most
 * directories are made, which go with the container if they are empty then.
 *
 * Throws  VOLUME_SOURCE_MISSING, VOLUME_SOURCE_REFUSED, VOLUME_NOT_SHARED (errors.ts); VOLUME_TARGET_MISSING, VOLUME_HIDES_SANDBOX
 *         (of the SDK)
 * Source  mount_namespaces(7)
 */
import { realpathSync, statSync } from 'node:fs';
import { Mounts, mountHolding } from '@caisson/linux/proc';
import {
  Checkpoints,
  type Container,
  type ContainerizerHooks,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
  type VolumeOf,
  volumeMount,
  volumesOf,
  volumeTarget,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { type Made, makeMissing, noteUse, removeEmpty, stopUse } from './made-directories.js';
import type { HostPathVolumeOptions } from './options.js';

interface Source {
  readonly source: string;
  readonly below?: string;
  readonly kind: 'directory' | 'file';
}

@injectable()
export class HostPathVolumeIsolator implements Isolator {
  readonly #mounts = new Mounts();

  constructor(
    @inject(IsolatorOptions) private readonly options: HostPathVolumeOptions,
    @inject(Checkpoints) private readonly checkpoints: Checkpoints,
  ) {}

  apply(hooks: ContainerizerHooks): void {
    const name = 'volume/host_path';
    hooks.recover.tapPromise(name, async ({ containers }) => {
      for (const each of containers)
        noteUse(
          each.id,
          volumesOf(each, 'HOST_PATH').map(({ source }) => source.path),
        );
    });
    hooks.prepare.tapPromise(name, async (container, plan) => {
      for (const volume of volumesOf(container, 'HOST_PATH')) this.#mount(container, volume, plan);
    });
    hooks.cleanup.tapPromise(name, async ({ id }) => this.#cleanup(id));
  }

  #mount(
    container: Container,
    { containerPath, mode, source }: VolumeOf<'HOST_PATH'>,
    plan: LaunchPlan,
  ): void {
    const { kind, ...from } = this.#sourceOf(container, source.path);
    noteUse(container.id, [source.path]);
    if (source.mountPropagation === 'bidirectional') this.#requireShared(container.id, source.path);
    plan.mount(
      volumeMount({
        ...from,
        ...volumeTarget(container, plan, containerPath, kind),
        mode,
        propagation: source.mountPropagation,
      }),
    );
  }

  #sourceOf({ id }: Container, path: string): Source {
    try {
      return { source: path, kind: statSync(path).isDirectory() ? 'directory' : 'file' };
    } catch (error) {
      const made = this.#make(id, path);
      if (made) return { source: made.base, ...(made.below && { below: made.below }), kind: 'directory' };
      throw errors.VOLUME_SOURCE_MISSING(id, path, (error as NodeJS.ErrnoException).code ?? 'unknown');
    }
  }

  /** Noted before it is made: what an agent that is killed has made is removed too. */
  #make(id: string, path: string): Made | undefined {
    return makeMissing(id, path, this.options.forceCreation, (made) => {
      this.checkpoints.set(id, [...this.#madeFor(id), made]);
    });
  }

  #madeFor = (id: string): readonly Made[] => (this.checkpoints.get(id) as Made[] | undefined) ?? [];

  #requireShared(id: string, path: string): void {
    const mount = mountHolding(realpathSync.native(path), this.#mounts.list());
    if (mount?.shared === undefined) throw errors.VOLUME_NOT_SHARED(id, path, mount?.mountPoint ?? '?');
  }

  #cleanup(id: string): void {
    stopUse(id);
    for (const made of [...this.#madeFor(id)].reverse()) removeEmpty(made);
    this.checkpoints.delete(id);
  }
}
