import { createHash } from 'node:crypto';
import {
  type Cgroup,
  type Cgroups,
  killAll,
  ownerOf,
  readPlace,
  removeAll,
  thaw,
  writePlace,
} from '@caisson/linux/cgroups';
import { pidfdSendSignal } from '@caisson/linux/syscalls';
import type { Container } from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/**
 * The cgroup that keeps a container's processes together where no pid namespace does, so that all of them can be ended,
 * also those that have left their parents and sessions. A process has one place in a hierarchy: an isolator of version 2 moves
 * it on, into one of the container's own, which is ended from then on.
 */
export class TrackingGroup {
  #ending: Promise<void> | undefined;

  /** @param owner  the mark of what is the container's own */
  constructor(
    private readonly cgroup: Cgroup,
    private readonly owner: string,
  ) {}

  add(pid: number): void {
    this.cgroup.add(pid);
  }

  /**
   * Looks where isolators have left the first process, while it is the only one; a later agent finds it noted.
   * @returns a cgroup that is not marked as the container's own: whoever is in there cannot be told from others
   */
  follow(pid: number): Cgroup | undefined {
    const place = this.cgroup.hierarchy.cgroupOf(pid);
    if (!place || `${place.path}/`.startsWith(`${this.cgroup.path}/`)) return undefined;
    if (ownerOf(place) !== this.owner) return place;
    writePlace(this.cgroup, place);
    return undefined;
  }

  /**
   * Ends whoever is left in it and removes it. One run for all who ask at once: another one would go on looking for it when
   * the first to be done has closed everything. Can be called again after a failure. @throws SyscallError EBUSY
   */
  end(): Promise<void> {
    this.#ending ??= this.#end().finally(() => {
      this.#ending = undefined;
    });
    return this.#ending;
  }

  async #end(): Promise<void> {
    for (const cgroup of this.#all()) await killAll(cgroup);
    await removeAll(this.cgroup);
  }

  pids(): number[] {
    return this.#all().flatMap((cgroup) => cgroup.allPids());
  }

  /** Its isolator may have removed the other one, and made it anew for somebody else. */
  #all(): Cgroup[] {
    const path = readPlace(this.cgroup);
    const place = path === undefined ? undefined : this.cgroup.hierarchy.cgroup(path);
    return place && ownerOf(place) === this.owner ? [this.cgroup, place] : [this.cgroup];
  }
}

/** By id and runtime directory: two agents may give two containers one id. */
function groupOf(
  container: Pick<Container, 'id' | 'runtimeDirectory'>,
  cgroups: Cgroups,
): Cgroup | undefined {
  const mark = createHash('sha256').update(container.runtimeDirectory).digest('hex').slice(0, 8);
  return cgroups.tracking()?.cgroup(`caisson-${container.id}-${mark}`);
}

/** @throws TRACKING_UNAVAILABLE  this host has neither cgroup version 2 nor the freezer of version 1 */
export function createTrackingGroup(container: Container, cgroups: Cgroups): TrackingGroup {
  const cgroup = groupOf(container, cgroups);
  if (!cgroup) throw errors.TRACKING_UNAVAILABLE(container.id);
  cgroup.create();
  return new TrackingGroup(cgroup, container.runtimeDirectory);
}

/** The group of a container that an earlier agent has started; undefined if there is none (any more). */
export function findTrackingGroup(container: Container, cgroups: Cgroups): TrackingGroup | undefined {
  const cgroup = groupOf(container, cgroups);
  return cgroup?.exists() ? new TrackingGroup(cgroup, container.runtimeDirectory) : undefined;
}

/**
 * SIGKILL waits on a frozen cgroup of version 1 until it is thawed (threat model N14).
 * @param pidfd  of that process: its number says where it is only as long as it is not reaped (N12)
 */
export function thawFreezerOf(pid: number, pidfd: number, cgroups: Cgroups): void {
  // Not `find`, which would ask version 2, and keep that open.
  const freezer = cgroups
    .hierarchies()
    .find((each) => each.version === 1 && each.controllers.includes('freezer'));
  const cgroup = freezer?.cgroupOf(pid);
  if (cgroup && cgroup.path !== '' && pidfdSendSignal(pidfd, 0)) thaw(cgroup);
}
