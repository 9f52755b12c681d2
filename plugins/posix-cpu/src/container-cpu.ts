import { type Cgroup, type Cgroups, ContainerFamily } from '@caisson/linux/cgroups';
import { ProcessTable, processTable } from '@caisson/linux/proc';
import { cgroupTime } from './cgroup-time.js';
import { CpuAccount, type CpuTicks, type TimedProcess } from './cpu-account.js';
import { readPs } from './ps.js';

export type Processes = Pick<ProcessTable<TimedProcess>, 'list'>;

/** Where this system tells of its processes. */
export const hostProcesses: Processes =
  process.platform === 'linux' ? processTable : new ProcessTable(readPs);

export interface ContainerCpuSettings {
  /** The first process. */
  readonly pid: number;
  readonly parentPid: number | undefined;
  readonly processes: Processes;
  readonly cgroups: Cgroups | undefined;
  /** What was reported before a restart. */
  readonly floor: CpuTicks | undefined;
}

/** The cpu time of one container. */
export class ContainerCpu {
  readonly #family: ContainerFamily<TimedProcess>;
  readonly #account: CpuAccount;
  #isCounted = false;
  #last: CpuTicks;

  constructor(private readonly settings: ContainerCpuSettings) {
    const { cgroups, floor = { user: 0, system: 0 } } = settings;
    this.#family = new ContainerFamily(settings, cgroups);
    this.#account = new CpuAccount(floor);
    this.#last = floor;
  }

  /** Never less than before. */
  async read(): Promise<CpuTicks> {
    const counted = countedIn(this.#family.ownCgroups());
    if (counted) {
      this.#isCounted = true;
      this.#last = higher(counted, this.#last);
      // Once the kernel has counted, what a look at the processes finds would be less.
    } else if (!this.#isCounted) {
      const { processes, pid } = this.settings;
      this.#last = this.#account.add(this.#family.members(await processes.list(pid)));
    }
    return this.#last;
  }
}

/** The kernel's count, where there is one; undefined too once the cgroup is gone, with the container. */
function countedIn(own: readonly Cgroup[]): CpuTicks | undefined {
  for (const cgroup of own) {
    try {
      const time = cgroupTime(cgroup);
      if (time) return time;
    } catch {}
  }
  return undefined;
}

const higher = (a: CpuTicks, b: CpuTicks): CpuTicks => ({
  user: Math.max(a.user, b.user),
  system: Math.max(a.system, b.system),
});
