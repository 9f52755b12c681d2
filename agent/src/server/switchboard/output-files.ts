import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
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

  /** Undefined where there is no file. */
  reader(name: OutputName): OutputReader | undefined {
    const fd = this.#descriptors.get(name);
    return fd === undefined ? undefined : new OutputReader(name, fd);
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

const PIECE_BYTES = 64 * 1024;

/** Reads one of them, also when no more is written to it. */
export class OutputReader {
  readonly #fd: number;

  constructor(
    readonly name: OutputName,
    appended: number,
  ) {
    // The very file, whatever has its name by now (threat model F8).
    this.#fd = openSync(`/proc/self/fd/${appended}`, 'r');
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  /** Empty at its end. */
  read(offset: number): Buffer {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    return piece.subarray(0, readSync(this.#fd, piece, 0, piece.length, offset));
  }

  close(): void {
    closeSync(this.#fd);
  }
}
