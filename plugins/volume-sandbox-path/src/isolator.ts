/**
 * volume/sandbox_path: directories of a container's sandbox, or of its parent's, elsewhere in the container: what the containers of a
 * group share. By mounts with filesystem/linux, else by links in the sandbox. What is made is in a sandbox, and goes with it.
 *
 * Throws  VOLUME_* (errors.ts); VOLUME_TARGET_MISSING, VOLUME_HIDES_SANDBOX (of the SDK)
 */
import {
  type Container,
  type ContainerizerHooks,
  HostEnvironment,
  type Isolator,
  inject,
  injectable,
  type LaunchPlan,
  type VolumeOf,
  volumeMount,
  volumesOf,
  volumeTarget,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { linkInSandbox } from './links.js';
import { placeOfSource, type SourcePlace } from './source-place.js';

type Volume = VolumeOf<'SANDBOX_PATH'>;

@injectable()
export class SandboxPathVolumeIsolator implements Isolator {
  readonly #mounts: boolean;

  constructor(@inject(HostEnvironment) private readonly host: HostEnvironment) {
    this.#mounts = host.launcher === 'linux' && host.isolation.includes('filesystem/linux');
  }

  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('volume/sandbox_path', async (container, plan) => {
      for (const volume of volumesOf(container, 'SANDBOX_PATH')) await this.#add(container, volume, plan);
    });
  }

  async #add(container: Container, volume: Volume, plan: LaunchPlan): Promise<void> {
    const { id } = container;
    const { containerPath, mode, source } = volume;
    const isAbsolute = containerPath.startsWith('/');
    if (source.of === 'SELF' && !isAbsolute)
      throw errors.VOLUME_WITHIN_SANDBOX(id, source.path, containerPath);
    if (!this.#mounts && isAbsolute) throw errors.VOLUME_NEEDS_MOUNTS(id, source.path, containerPath);
    if (!this.#mounts && mode === 'RO') throw errors.VOLUME_NEEDS_MOUNTS(id, source.path, 'read-only');
    const place = placeOfSource(this.host, container, source);
    if (this.#mounts) await mount(container, volume, place, plan);
    else linkInSandbox(this.host, container, volume, place);
  }
}

/** Loaded where it is needed: links work on systems that have no descriptors of this kind. */
async function mount(
  container: Container,
  { containerPath, mode, source }: Volume,
  place: SourcePlace,
  plan: LaunchPlan,
): Promise<void> {
  const { makeSource } = await import('./make-source.js');
  const kind = makeSource(container.id, place, source.path);
  const { base, below, isReadOnly } = place;
  plan.mount(
    volumeMount({
      source: base,
      ...(below !== '' && { below }),
      ...volumeTarget(container, plan, containerPath, kind),
      mode: isReadOnly ? 'RO' : mode,
    }),
  );
}
