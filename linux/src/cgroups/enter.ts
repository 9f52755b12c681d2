import { write } from 'node:fs';
import { promisify } from 'node:util';
import { SyscallError } from '../errors.js';
import { close } from '../syscalls/files.js';
import { O } from '../syscalls/flags.js';
import type { Cgroup } from './cgroup.js';
import { joinPath } from './paths.js';

const writeText = promisify(write) as (fd: number, text: string) => Promise<unknown>;

/**
 * Moves a process with all its threads into a cgroup, without holding up the event loop: the kernel first waits until no
 * process of the host forks or exits, which takes some 10 ms when nobody was moved for a while.
 *
 * @throws SyscallError  ESRCH no such process; ENOENT no such cgroup; EBUSY it hands on controllers (version 2)
 */
export async function enterCgroup(cgroup: Cgroup, pid: number): Promise<void> {
  const fd = cgroup.hierarchy.open(joinPath(cgroup.path, 'cgroup.procs'), O.O_WRONLY);
  try {
    await writeText(fd, String(pid));
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new SyscallError('write', Math.abs(errno), {
      cgroup: String(cgroup),
      file: 'cgroup.procs',
      value: pid,
    });
  } finally {
    close(fd);
  }
}
