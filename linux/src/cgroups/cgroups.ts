import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type MountEntry, readMountinfo } from '../proc/mountinfo.js';
import { MS } from '../syscalls/flags.js';
import { mount } from '../syscalls/mount.js';
import { Hierarchy } from './hierarchy.js';
import { kernelControllers } from './kernel-controllers.js';
import { LastLooks } from './last-looks.js';

const CGROUP_ROOT = '/sys/fs/cgroup';

/** One mount of each hierarchy: the one that shows most of it, since it may be mounted more than once. */
function distinct(mounts: readonly MountEntry[]): MountEntry[] {
  const byDevice = new Map<string, MountEntry>();
  for (const entry of mounts) {
    const known = byDevice.get(entry.device);
    if (!known || entry.root.length < known.root.length) byDevice.set(entry.device, entry);
  }
  return [...byDevice.values()];
}

/**
 * The cgroup hierarchies of this host, version 1, version 2 or both at once (hybrid), wherever they are mounted.
 * Injected into isolators under the token `Cgroups` of the SDK.
 */
export class Cgroups {
  readonly lastLooks = new LastLooks();
  #hierarchies: Hierarchy[] | undefined;

  /** Read once from mountinfo; `refresh` reads it again. */
  hierarchies(): readonly Hierarchy[] {
    if (!this.#hierarchies) {
      const known = kernelControllers();
      const mounts = readMountinfo().filter(({ filesystem }) => /^cgroup2?$/.test(filesystem));
      this.#hierarchies = distinct(mounts).map((entry) => new Hierarchy(entry, known));
    }
    return this.#hierarchies;
  }

  refresh(): void {
    this.close();
  }

  /** The version 2 hierarchy, wherever it is mounted. */
  unified(): Hierarchy | undefined {
    return this.hierarchies().find(({ version }) => version === 2);
  }

  /** The hierarchy that a controller works in: version 1 if it is bound there, else version 2 if that offers it. */
  find(controller: string): Hierarchy | undefined {
    const having = (version: 1 | 2) =>
      this.hierarchies().find((each) => each.version === version && each.controllers.includes(controller));
    return having(1) ?? having(2);
  }

  /**
   * Where a container's processes are kept together so that all can be killed at once: version 2, else the freezer.
   * Undefined if this host has neither.
   */
  tracking(): Hierarchy | undefined {
    return this.unified() ?? this.find('freezer');
  }

  /**
   * The hierarchy of a version 1 controller, mounted if it is not yet. It stays mounted, as a host's would.
   *
   * @param directory  where; default beside the host's others
   * @returns undefined if the kernel does not have the controller
   * @throws SyscallError  EBUSY version 2 uses it; EPERM
   */
  ensure(controller: string, directory = join(CGROUP_ROOT, controller)): Hierarchy | undefined {
    const found = this.find(controller);
    if (found || !kernelControllers().has(controller)) return found;
    mkdirSync(directory, { recursive: true });
    mount({
      source: 'cgroup',
      target: directory,
      type: 'cgroup',
      flags: MS.MS_NOSUID | MS.MS_NODEV | MS.MS_NOEXEC,
      data: controller,
    });
    this.refresh();
    return this.find(controller);
  }

  /** Gives back the descriptors; it can be used again after it. */
  close(): void {
    for (const hierarchy of this.#hierarchies ?? []) hierarchy.close();
    this.#hierarchies = undefined;
  }
}
