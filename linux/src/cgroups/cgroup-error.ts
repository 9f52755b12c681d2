/** As the kinds of the SDK's errors: what the HTTP API and the command line make of them. */
type Kind = 'conflict' | 'failed' | 'invalid' | 'unsupported' | 'timeout';

/**
 * An error that no system call tells: what was attempted, on what, and in `hint` what to do. It has the shape of the SDK's
 * errors, which this package does not know; recognise it by `code`.
 */
export class CgroupError extends Error {
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    readonly code: string,
    readonly kind: Kind,
    message: string,
    readonly hint?: string,
    details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CgroupError';
    this.details = details;
  }
}

const list = (pids: readonly number[]): string => pids.slice(0, 10).join(', ');

export const cgroupErrors = {
  CGROUP_TAKEN: (id: string, cgroup: string, owner: string | undefined, pids: readonly number[]) =>
    new CgroupError(
      'CGROUP_TAKEN',
      'conflict',
      `container ${id} cannot have the cgroup ${cgroup}: ${
        owner === undefined ? `processes that are not its own are in it (${list(pids)})` : `${owner} has it`
      }`,
      'another agent has a container of this id: choose another id, or give one agent another cgroups root (--cgroups_root)',
      { cgroup, owner, pids },
    ),
  CGROUP_NESTED_TOO_DEEP: (id: string) =>
    new CgroupError(
      'CGROUP_NESTED_TOO_DEEP',
      'invalid',
      `container ${id} cannot have cgroups of its own: only one nested directly in an outermost container can`,
      'leave shareCgroups out: it then shares the cgroups of the container that it is nested in',
      { container: id },
    ),
  CGROUP_UNAVAILABLE: (controller: string, directory: string, why: string, cause?: unknown) =>
    new CgroupError(
      'CGROUP_UNAVAILABLE',
      'unsupported',
      `the cgroup controller ${controller} is not mounted and cannot be mounted at ${directory}: ${why}`,
      `mount it by hand, such as: mount -t cgroup -o ${controller} cgroup <directory>`,
      { controller, directory },
      cause,
    ),
  CGROUP_NOT_HANDED_ON: (cgroup: string, controllers: readonly string[], cause: unknown) =>
    new CgroupError(
      'CGROUP_NOT_HANDED_ON',
      'unsupported',
      `the cgroup ${cgroup} gets no ${controllers.join(', ')}: ${(cause as Error).message}`,
      'a cgroup of version 2 that has processes of its own cannot hand on controllers: run the agent in a leaf of the hierarchy ' +
        'that it may manage (systemd: Delegate=yes)',
      { cgroup, controllers },
      cause,
    ),
  CGROUP_NOT_ENTERED: (id: string, pid: number, cgroup: string, found: string | undefined) =>
    new CgroupError(
      'CGROUP_NOT_ENTERED',
      'failed',
      `process ${pid} of container ${id} was moved to the cgroup ${cgroup}, and is in ${found ?? 'none'}`,
      'something else on this host moves processes between cgroups',
      { pid, cgroup, found },
    ),
  CGROUP_LOCKED: (hierarchy: string, ms: number) =>
    new CgroupError(
      'CGROUP_LOCKED',
      'timeout',
      `the cgroup hierarchy ${hierarchy} has been locked by another process for ${ms} ms`,
      'another agent is stopped in the middle of a launch: see who has it open (fuser, lslocks)',
      { hierarchy },
    ),
};
