import { messageOf } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import type { InputEnd } from './ends.js';

/** What is written to a container: by one at a time, and not faster than it reads. */
export class BoardInput {
  #isTaken = false;
  #hasEnded: boolean;
  /** The write under way, of whoever: the next one waits for it, so that no more than one is kept. */
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly id: string,
    private readonly stdin: InputEnd | undefined,
  ) {
    this.#hasEnded = stdin === undefined;
  }

  /** Returns what gives it back. @throws INPUT_TAKEN */
  take(): () => void {
    if (this.#isTaken) throw apiErrors.INPUT_TAKEN(this.id);
    this.#isTaken = true;
    return () => {
      this.#isTaken = false;
    };
  }

  /** Resolves once the kernel has all of it. @throws INPUT_ENDED, INPUT_REFUSED */
  async write(data: Buffer): Promise<void> {
    await this.#writing;
    if (this.#hasEnded || !this.stdin) throw apiErrors.INPUT_ENDED(this.id);
    const written = this.stdin.write(data);
    this.#writing = written.catch(() => {});
    await written.catch((error: unknown) => {
      throw apiErrors.INPUT_REFUSED(this.id, messageOf(error));
    });
  }

  /** The end of its stdin, behind what has been written. Of a terminal nothing happens. */
  async end(): Promise<void> {
    if (!this.stdin?.end || this.#hasEnded) return;
    this.#hasEnded = true;
    await this.#writing;
    this.stdin.end();
  }

  close(): void {
    this.stdin?.close();
  }
}
