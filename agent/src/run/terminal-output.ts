import { closeSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import type { ContainerTerminal } from '@caisson/plugin-sdk';

/** A terminal gives no more at a time. */
const PIECE_BYTES = 4096;

/**
 * What a container writes to its terminal, to the last byte. Node's stream ends when nobody has the terminal open any more,
 * though the kernel may still hold some 60 KB: libuv takes a hang-up behind a short read for the end, which is true of a pipe.
 */
export class TerminalOutput extends Readable {
  readonly #fd: number;
  #stream: ReadStream | undefined;

  constructor(private readonly terminal: ContainerTerminal) {
    super();
    this.#fd = terminal.take();
    try {
      // At once: by the time that somebody reads, the container may have ended, and the terminal be given back.
      this.#stream = this.#open();
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  override _read(): void {
    this.#stream?.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    closeSync(this.#fd);
    done(error);
  }

  /** Nothing is taken out of the terminal before somebody reads: it would be lost with this process. */
  #open(): ReadStream {
    const stream = new ReadStream(this.terminal.take()).pause();
    stream.on('data', (data) => this.push(data) || stream.pause());
    stream.on('error', () => {}); // EIO: nobody has it open any more, as `end` says on other systems
    stream.once('close', () => {
      if (!this.destroyed) this.#readRest();
    });
    return stream;
  }

  #readRest(): void {
    try {
      for (;;) {
        const piece = Buffer.alloc(PIECE_BYTES);
        const length = readSync(this.#fd, piece);
        if (length === 0) break;
        this.push(piece.subarray(0, length));
      }
    } catch (error) {
      // Somebody has opened it again meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN' && this.#reopened()) return;
    }
    this.push(null);
  }

  /** False: the terminal was given back, and who had opened it is gone. */
  #reopened(): boolean {
    try {
      this.#stream = this.#open().resume();
      return true;
    } catch {
      return false;
    }
  }
}
