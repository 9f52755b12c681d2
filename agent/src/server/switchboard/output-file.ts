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
    try {
      this.#fd = open(name);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Behind its end, at once: what was read is in the file when the agent is killed. */
  append(data: Buffer): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    try {
      let { size } = fstatSync(fd);
      for (let rest = data; rest.length > 0; ) {
        const written = writeSync(fd, rest, 0, rest.length, size);
        rest = rest.subarray(written);
        size += written;
      }
    } catch (error) {
      this.#report(error);
    }
  }

  /**
   * Lets `move` put something behind its end, which is where it is now: its owner may have made it shorter.
   * @returns what `move` does; undefined if it threw, or there is no file
   */
  extend<T>(move: (fd: number, size: number) => T): T | undefined {
    if (this.#fd === undefined) return undefined;
    try {
      return move(this.#fd, fstatSync(this.#fd).size);
    } catch {
      return undefined; // the same is appended then: that says what is wrong
    }
  }

  /** Less where its owner has made it shorter, or it cannot be read. */
  read(offset: number, bytes: number): Buffer {
    const piece = Buffer.allocUnsafe(bytes);
    let length = 0;
    try {
      if (this.#fd !== undefined) length = readSync(this.#fd, piece, 0, bytes, offset);
    } catch (error) {
      this.#report(error);
    }
    return piece.subarray(0, length);
  }

  /** Undefined where there is no file. */
  reader(): OutputReader | undefined {
    return this.#fd === undefined ? undefined : new OutputReader(this.name, this.#fd);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
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
