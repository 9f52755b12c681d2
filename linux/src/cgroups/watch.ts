import { readSync } from 'node:fs';
import { isErrno } from '../errors.js';
import type { Reaper } from '../process/reaper.js';
import { EPOLLIN, EPOLLPRI, eventfd } from '../syscalls/epoll.js';
import { close } from '../syscalls/files.js';
import { O } from '../syscalls/flags.js';
import type { Cgroup } from './cgroup.js';
import { joinPath } from './paths.js';

/** Ends a watch and gives its descriptors back. Idempotent. */
export type StopWatching = () => void;

/**
 * Calls back each time that the kernel says a file of a version 2 cgroup changed: `cgroup.events` (populated, frozen),
 * `memory.events`, `pids.events`. The watch ends by itself when the cgroup is removed.
 *
 * @throws SyscallError  ENOENT
 */
export function watchFile(cgroup: Cgroup, file: string, reaper: Reaper, callback: () => void): StopWatching {
  const fd = cgroup.hierarchy.open(joinPath(cgroup.path, file), O.O_RDONLY);
  const content = Buffer.alloc(4096);
  // The kernel compares with what this descriptor read last: without a read it would tell the same change again.
  return repeatedly(reaper, fd, EPOLLPRI, () => readSync(fd, content, 0, content.length, 0), callback, [fd]);
}

/**
 * Tells whether a version 2 cgroup has processes, at once and whenever that changes.
 * @throws SyscallError  ENOENT
 */
export function watchPopulated(
  cgroup: Cgroup,
  reaper: Reaper,
  callback: (populated: boolean) => void,
): StopWatching {
  const tell = () => callback(isPopulated(cgroup));
  const stop = watchFile(cgroup, 'cgroup.events', reaper, tell);
  tell();
  return stop;
}

function isPopulated(cgroup: Cgroup): boolean {
  try {
    return cgroup.readFields('cgroup.events').populated === 1;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false; // it was removed
    throw error;
  }
}

/**
 * Calls back each time that version 1 signals an event of a control file, such as `memory.oom_control` (out of memory) or
 * `memory.usage_in_bytes` with a threshold as `argument`; and once more when the cgroup is removed.
 *
 * @throws SyscallError  ENOENT; EINVAL the file has no events
 */
export function watchEvent(
  cgroup: Cgroup,
  file: string,
  reaper: Reaper,
  callback: () => void,
  argument: string | number = '',
): StopWatching {
  const control = cgroup.hierarchy.open(joinPath(cgroup.path, file), O.O_RDONLY);
  const event = eventfd();
  const count = Buffer.alloc(8);
  const stop = repeatedly(reaper, event, EPOLLIN, () => readSync(event, count), callback, [event]);
  try {
    cgroup.write('cgroup.event_control', `${event} ${control} ${argument}`.trimEnd());
    return stop;
  } catch (error) {
    stop();
    throw error;
  } finally {
    close(control); // the kernel needs it for the registration alone: an agent watches many cgroups
  }
}

/** Watches a descriptor again and again; `consume` makes it quiet until the next event. */
function repeatedly(
  reaper: Reaper,
  fd: number,
  events: number,
  consume: () => unknown,
  callback: () => void,
  descriptors: readonly number[],
): StopWatching {
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    reaper.unwatch(fd);
    descriptors.forEach(close);
  };
  const next = () => {
    if (stopped) return;
    if (consumed(consume)) reaper.watch(fd, fired, events);
    else stop(); // the cgroup is gone
  };
  const fired = () => {
    if (stopped) return;
    next();
    callback();
  };
  consumed(consume);
  reaper.watch(fd, fired, events);
  return stop;
}

/** False if the file has gone with its cgroup. */
function consumed(consume: () => unknown): boolean {
  try {
    consume();
    return true;
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return true; // nothing was counted
    if (isErrno(error, 'ENODEV')) return false;
    throw error;
  }
}
