import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { type Logger, messageOf } from '@caisson/plugin-sdk';
import type { OutputName } from './process-io.js';

/**
 * `stdout` or `stderr` of a sandbox: what it cannot take, because the disk is full or the container has put something else in its
 * place, is missing there, which the log says once; who has attached still gets it.
 */
export class OutputFile {
  #fd: number | undefined;
  #isReported = false;

  /** @param open  to read and write */
  constructor(
    private readonly containerId: string,
    readonly name: OutputName,
    open: (name: OutputName) => number,
    private readonly log: Logger,
  ) {
    this.#tried(() => {
      this.#fd = open(name);
    });
  }

  /** At once: what was read is in the file when the agent is killed. */
  append(data: Buffer): void {
    this.extend((fd, size) => {
      for (let written = 0; written < data.length; )
        written += writeSync(fd, data, written, data.length - written, size + written);
    });
  }

  /**
   * Puts something behind its end, which is where it is now: its owner may have made it shorter.
   * @returns what `put` does; undefined if it threw, or there is no file
   */
  extend<T>(put: (fd: number, size: number) => T): T | undefined {
    const fd = this.#fd;
    return fd === undefined ? undefined : this.#tried(() => put(fd, fstatSync(fd).size));
  }

  /** Less where its owner has made it shorter. */
  read(offset: number, bytes: number): Buffer {
    const piece = Buffer.allocUnsafe(bytes);
    return this.#fd === undefined
      ? piece.subarray(0, 0)
      : piece.subarray(0, readSync(this.#fd, piece, 0, bytes, offset));
  }

  /** Undefined where there is no file. */
  reader(): OutputReader | undefined {
    return this.#fd === undefined ? undefined : new OutputReader(this.name, this.#fd);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #tried<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      this.#report(error);
      return undefined;
    }
  }

  #report(error: unknown): void {
    if (!this.#isReported)
      this.log.warn(
        { container: this.containerId, error: messageOf(error) },
        'its output is not, or not completely, in its sandbox',
      );
    this.#isReported = true;
  }
}

const PIECE_BYTES = 64 * 1024;

/** Reads one of them, also when no more is written to it. */
export class OutputReader {
  readonly #fd: number;

  constructor(
    readonly name: OutputName,
    written: number,
  ) {
    // The very file, whatever has its name by now (threat model F8).
    this.#fd = openSync(`/proc/self/fd/${written}`, 'r');
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
