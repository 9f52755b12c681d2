import { isErrno } from '../errors.js';
import { loadKoffi } from '../libc.js';
import { EPOLLIN, epollAdd, epollCreate, epollDelete, epollWait } from '../syscalls/epoll.js';
import { close } from '../syscalls/files.js';
import { P_PID, WAIT, waitid } from '../syscalls/processes.js';

interface PollHandle {
  start(options: { readable: boolean }, callback: () => void): void;
  close(): void;
  ref(): void;
  unref(): void;
}
type PollingKoffi = { node: { poll(fd: number, callback: () => void): PollHandle } };

/**
 * Tells when descriptors become readable: a pidfd when its process has ended, a pipe when it has data or is closed.
 *
 * One epoll set for all of them, itself polled by Node's event loop: no thread, no timer, no SIGCHLD, and the same for
 * our own children and for processes taken up after a restart. A watched descriptor keeps the event loop alive.
 */
export class Reaper {
  readonly #epoll = epollCreate();
  readonly #watched = new Map<number, () => void>();
  readonly #poll: PollHandle;
  #scheduled = false;
  #closed = false;

  constructor() {
    const { node } = loadKoffi() as unknown as PollingKoffi;
    this.#poll = node.poll(this.#epoll, () => this.#schedule());
    this.#poll.unref();
  }

  /**
   * Calls back once, when `fd` is readable (or as `events` says). The descriptor must stay open until then, or be
   * unwatched first.
   */
  watch(fd: number, callback: () => void, events: number = EPOLLIN): void {
    epollAdd(this.#epoll, fd, events);
    this.#watched.set(fd, callback);
    if (this.#watched.size === 1) this.#poll.ref();
  }

  /** No callback after this. Does nothing for a descriptor that isn't watched. */
  unwatch(fd: number): void {
    if (!this.#watched.delete(fd)) return;
    epollDelete(this.#epoll, fd);
    if (this.#watched.size === 0) this.#poll.unref();
  }

  /** No callback after this. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.close();
    this.#watched.clear();
    close(this.#epoll);
  }

  // koffi's callback runs outside Node's callback scope: promises settled there would wait for the next event.
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#dispatch(); // its descriptor may be somebody else's by now
    });
  }

  #dispatch(): void {
    for (const fd of epollWait(this.#epoll, 0)) {
      const callback = this.#watched.get(fd);
      this.unwatch(fd);
      callback?.();
    }
  }
}

/**
 * Removes the zombie of a child of ours that has ended. False if it still runs; true also if somebody else reaped it
 * or it never was our child.
 */
export function reapChild(pid: number): boolean {
  try {
    return waitid(P_PID, pid, WAIT.WEXITED | WAIT.WNOHANG) !== undefined;
  } catch (error) {
    if (isErrno(error, 'ECHILD')) return true;
    throw error;
  }
}
