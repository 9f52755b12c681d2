import { closeSync, writeSync } from 'node:fs';
import { type Logger, messageOf } from '@caisson/plugin-sdk';
import type { OutputName } from './process-io.js';

/**
 * The files `stdout` and `stderr` of a sandbox: what they cannot take, because the disk is full or the container has put
 * something else in their place, is missing there, which the log says once; who has attached still gets it.
 */
export class OutputFiles {
  readonly #descriptors = new Map<OutputName, number>();
  #isReported = false;

  constructor(
    private readonly containerId: string,
    open: (name: OutputName) => number,
    names: readonly OutputName[],
    private readonly log: Logger,
  ) {
    for (const name of names) this.#tried(() => this.#descriptors.set(name, open(name)));
  }

  /** At once: what was read is in the file when the agent is killed. */
  append(name: OutputName, data: Buffer): void {
    const fd = this.#descriptors.get(name);
    if (fd === undefined) return;
    this.#tried(() => {
      for (let written = 0; written < data.length; ) written += writeSync(fd, data, written);
    });
  }

  close(): void {
    for (const fd of this.#descriptors.values()) closeSync(fd);
    this.#descriptors.clear();
  }

  #tried(act: () => unknown): void {
    try {
      act();
    } catch (error) {
      if (!this.#isReported)
        this.log.warn(
          { container: this.containerId, error: messageOf(error) },
          'its output is not, or not completely, in its sandbox',
        );
      this.#isReported = true;
    }
  }
}
