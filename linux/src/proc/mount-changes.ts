import { closeSync, openSync, readFileSync } from 'node:fs';
import { pollException } from '../syscalls/epoll.js';

const MOUNTINFO = '/proc/self/mountinfo';

/** Tells whether the mounts of this process's mount namespace are others than they were (proc_pid_mountinfo(5), poll). */
export class MountChanges {
  readonly #fd: number;
  #known = '';

  /** @throws EMFILE */
  constructor() {
    this.#fd = openSync(MOUNTINFO, 'r');
    this.#known = readOrNothing();
  }

  /**
   * Since the last look, or since this was made.
   * @returns touched: anything was mounted or unmounted; changed: the mounts are others now
   */
  look(): { readonly touched: boolean; readonly changed: boolean } {
    if (!pollException(this.#fd)) return { touched: false, changed: false };
    const before = this.#known;
    this.#known = readOrNothing();
    return { touched: true, changed: this.#known === '' || this.#known !== before };
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Without a descriptor to read it with, it counts as changed. */
function readOrNothing(): string {
  try {
    return readFileSync(MOUNTINFO, 'latin1');
  } catch {
    return '';
  }
}
