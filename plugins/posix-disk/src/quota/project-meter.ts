/**
 * XFS and ext4 count what each project has: a sandbox is put into one of its own, and what is made in it follows.
 * The figures are always fresh.
 *
 * Whoever owns a file may put it into another project (ioctl_xfs_fssetxattr(2)), and so out of the count, unless a
 * user namespace or a seccomp filter keeps him from it: this is a guard against accidents.
 *
 * Source  quotactl(2), xfs_quota(8)
 */
import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import {
  type ProjectQuota,
  projectQuota,
  requireProjectQuota,
  setProject,
  setProjectQuota,
} from '@caisson/linux/syscalls';
import type { Clock, Container } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';
import type { Found } from '../measurement.js';
import type { Account, Limits, QuotaMeter } from './meter.js';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

export interface ProjectMeterSettings {
  /** Of a directory on the filesystem; the meter's from now on. */
  readonly fd: number;
  readonly ids: { readonly first: number; readonly last: number };
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Why the filesystem of a directory doesn't count. Undefined if it does. */
export function projectProblem(fd: number, mountPoint: string): string | undefined {
  try {
    requireProjectQuota(fd);
    return undefined;
  } catch (error) {
    if (isErrno(error, 'ENOSYS', 'EINVAL')) return 'this kernel has no project quotas for it';
    if (isErrno(error, 'ESRCH'))
      return `project quotas are not enabled on ${mountPoint}: mount it with prjquota`;
    throw error;
  }
}

export class ProjectMeter implements QuotaMeter {
  readonly kind = 'project';
  #next: number;

  constructor(private readonly settings: ProjectMeterSettings) {
    this.#next = settings.ids.first;
  }

  open({ id, sandbox }: Container, isTaken: (account: Account) => boolean): Account {
    const directory = openSync(sandbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      if (readdirSync(sandbox).length > 0) throw errors.QUOTA_SANDBOX_USED(id, sandbox);
      const project = this.#free(id, isTaken);
      // A former owner's limits would be the new one's.
      setProjectQuota(this.settings.fd, project, { bytes: 0, files: 0 });
      setProject(directory, project);
      return { kind: 'project', project };
    } finally {
      closeSync(directory);
    }
  }

  limit(account: Account, { bytes, files }: Limits): void {
    if (account.kind !== 'project') return;
    // 0 bytes is a limit that the kernel can't be told: the least it knows is one unit.
    const limited = bytes === undefined ? 0 : Math.max(1, bytes);
    setProjectQuota(this.settings.fd, account.project, { bytes: limited, files });
  }

  async read(account: Account): Promise<Found & { atMs: number }> {
    const { usedBytes, files } = this.#quotaOf(account.kind === 'project' ? account.project : 0);
    return { usedBytes, files, atMs: this.settings.clock.monotonicMs() };
  }

  close(account: Account): void {
    if (account.kind !== 'project') return;
    try {
      setProjectQuota(this.settings.fd, account.project, { bytes: 0, files: 0 });
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ESRCH')) throw error;
    }
  }

  end(): void {
    closeSync(this.settings.fd);
  }

  /** One that nobody has and in which nothing is: a sandbox that was kept keeps its project. */
  #free(id: string, isTaken: (account: Account) => boolean): number {
    const { first, last } = this.settings.ids;
    const count = last - first + 1;
    for (let tried = 0; tried < count; tried++) {
      const project = this.#next;
      this.#next = project === last ? first : project + 1;
      if (!isTaken({ kind: 'project', project }) && this.#quotaOf(project).files === 0) return project;
    }
    throw errors.PROJECT_IDS_EXHAUSTED(id, first, last);
  }

  /** XFS knows nothing of a project that nobody ever had. */
  #quotaOf(project: number): ProjectQuota {
    try {
      return projectQuota(this.settings.fd, project);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return { usedBytes: 0, files: 0, limitBytes: undefined };
      throw error;
    }
  }
}
