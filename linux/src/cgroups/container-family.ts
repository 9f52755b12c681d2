import { type Kin, ProcessFamily } from '../proc/process-family.js';
import type { ProcessStat } from '../proc/process-stat.js';
import type { Cgroup } from './cgroup.js';
import type { Cgroups } from './cgroups.js';

/**
 * The cgroups that a process is in and that none of the others is in or below: of a container, its own, whoever made
 * them; one for each hierarchy where it stands apart. None for a process that has ended.
 */
export function cgroupsApart(cgroups: Cgroups, pid: number, others: readonly (number | 'self')[]): Cgroup[] {
  return cgroups.hierarchies().flatMap((hierarchy) => {
    const cgroup = hierarchy.cgroupOf(pid);
    if (!cgroup || cgroup.path === '') return [];
    const paths = others.map((other) => hierarchy.cgroupOf(other)?.path);
    return paths.some((path) => path === cgroup.path || path?.startsWith(`${cgroup.path}/`)) ? [] : [cgroup];
  });
}

/** All processes of a container, and the cgroups that are its own. */
export class ContainerFamily<P extends Kin = ProcessStat> {
  readonly #family: ProcessFamily<P>;
  #cgroups: readonly Cgroup[] | undefined;

  /** @param cgroups  undefined on a host without any, or where nobody uses them */
  constructor(
    private readonly head: { readonly pid: number; readonly parentPid?: number | undefined },
    private readonly cgroups: Cgroups | undefined,
  ) {
    this.#family = new ProcessFamily(head.pid);
  }

  /** Looked up once: a container is in its cgroups before its command is executed. */
  ownCgroups(): readonly Cgroup[] {
    const { pid, parentPid } = this.head;
    const others = parentPid === undefined ? (['self'] as const) : (['self', parentPid] as const);
    this.#cgroups ??= this.cgroups ? cgroupsApart(this.cgroups, pid, others) : [];
    return this.#cgroups;
  }

  /** @param processes  all of the host */
  members(processes: readonly P[]): P[] {
    return this.#family.members(processes, this.ownCgroups()[0]?.allPids());
  }
}
