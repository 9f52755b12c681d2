import { constants } from 'node:os';
import { checked, lastErrno, libc } from '../libc.js';

const { EINTR } = constants.errno;

import { O } from './flags.js';

const epollCreateNative = libc('epoll_create1', 'int', ['int']);
const epollCtlNative = libc('epoll_ctl', 'int', ['int', 'int', 'int', 'void*']);
const epollWaitNative = libc('epoll_wait', 'int', ['int', 'void*', 'int', 'int']);
const eventfdNative = libc('eventfd', 'int', ['uint', 'int']);
const pollNative = libc('poll', 'int', ['void*', 'ulong', 'int']);

export const EPOLLIN = 1;
/** Room to write. */
export const EPOLLOUT = 4;
/** Something changed: a file of the kernel that tells so (cgroup.events). */
export const EPOLLPRI = 2;
const EPOLL_CLOEXEC = 0o2000000;
const [EPOLL_CTL_ADD, EPOLL_CTL_DEL] = [1, 2];

// x86-64 packs `struct epoll_event` to 12 bytes; other architectures align the data to 8.
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16;
const DATA_OFFSET = EVENT_SIZE - 8;
const MOST_EVENTS = 64;

// Calls block, so one buffer for all of them: a new one per call is work for the garbage collector of a busy agent.
const event = Buffer.alloc(EVENT_SIZE);
const events = Buffer.alloc(EVENT_SIZE * MOST_EVENTS);
const pollEntry = Buffer.alloc(8);

/** epoll_create1(2). @throws SyscallError  EMFILE */
export const epollCreate = (): number => checked(epollCreateNative(EPOLL_CLOEXEC), 'epoll_create1');

/** epoll_ctl(2), EPOLL_CTL_ADD; `fd` itself is the event's data. @throws SyscallError  EEXIST; ENOSPC max_user_watches */
export function epollAdd(epoll: number, fd: number, interest = EPOLLIN): void {
  event.writeUInt32LE(interest, 0);
  event.writeInt32LE(fd, DATA_OFFSET);
  checked(epollCtlNative(epoll, EPOLL_CTL_ADD, fd, event), 'epoll_ctl', { epoll, fd });
}

/** epoll_ctl(2), EPOLL_CTL_DEL. @throws SyscallError  ENOENT it is not in the set */
export function epollDelete(epoll: number, fd: number): void {
  checked(epollCtlNative(epoll, EPOLL_CTL_DEL, fd, null), 'epoll_ctl', { epoll, fd });
}

/** epoll_wait(2): the ready descriptors. @param timeoutMs  0 returns at once, -1 waits for ever */
export function epollWait(epoll: number, timeoutMs: number): number[] {
  const count = checked(epollWaitNative(epoll, events, MOST_EVENTS, timeoutMs), 'epoll_wait', {
    epoll,
    timeoutMs,
  });
  return Array.from({ length: count }, (_, i) => events.readInt32LE(i * EVENT_SIZE + DATA_OFFSET));
}

/** eventfd(2), close-on-exec and non-blocking: readable once the kernel has counted something. @throws SyscallError  EMFILE */
export const eventfd = (): number => checked(eventfdNative(0, EPOLL_CLOEXEC | O.O_NONBLOCK), 'eventfd');

/** poll(2) on one descriptor: true if it is readable or hung up within the time, false too where a signal came first. */
export function pollReadable(fd: number, timeoutMs: number): boolean {
  pollEntry.writeInt32LE(fd, 0);
  pollEntry.writeInt16LE(EPOLLIN, 4);
  const ready = Number(pollNative(pollEntry, 1, timeoutMs));
  if (ready < 0 && lastErrno() === EINTR) return false;
  return checked(ready, 'poll', { fd, timeoutMs }) > 0;
}

/** poll(2) without waiting, for POLLPRI: true if the kernel has something out of the ordinary to tell of a descriptor. */
export function pollException(fd: number): boolean {
  pollEntry.writeInt32LE(fd, 0);
  pollEntry.writeInt16LE(EPOLLPRI, 4);
  for (;;) {
    const ready = Number(pollNative(pollEntry, 1, 0));
    // Also without waiting: a profiler's signals come by the thousand.
    if (ready < 0 && lastErrno() === EINTR) continue;
    checked(ready, 'poll', { fd });
    break;
  }
  return (pollEntry.readInt16LE(6) & EPOLLPRI) !== 0;
}
