import { Readable } from 'node:stream';
import type { Position } from './process-io.js';

/** What one reader may have unread; a chunk that comes then is still taken. */
const MOST_UNREAD = 256 * 1024;

export interface OutputStreamOptions {
  /** How long it may stay full before it is let go. Undefined: for ever, since nobody else is kept waiting. */
  readonly patienceMs: number | undefined;
  /** It has room again, or is gone. */
  readonly drained: (stream: OutputStream) => void;
  readonly closed: (stream: OutputStream) => void;
}

/**
 * What a container writes, on its way to one who has attached to it. Never with a gap: a reader that is too slow holds the
 * container up for a moment, and then its stream breaks off.
 */
export class OutputStream extends Readable {
  /** It was let go. */
  wasLate = false;
  /** Up to where in the files of the sandbox it has been given what was written, if somebody asked. */
  position: Position | undefined;
  /** It reads what lies in the files: nobody waits for it. */
  isBehind = false;
  #roomy: () => void = () => {};
  #impatience: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(private readonly options: OutputStreamOptions) {
    super({ highWaterMark: MOST_UNREAD });
    this.once('close', () => {
      clearTimeout(this.#impatience);
      this.#roomy();
      options.drained(this);
      options.closed(this);
    });
  }

  override _read(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    clearTimeout(this.#impatience);
    this.#roomy();
    this.options.drained(this);
  }

  /** Resolves once it has room, or nobody reads it any more. */
  async room(): Promise<void> {
    if (!this.#isFull || this.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#roomy = resolve;
    });
  }

  /** False if it has enough for now. */
  write(frame: Buffer): boolean {
    if (this.destroyed || this.readableEnded || this.push(frame)) return true;
    if (!this.#isFull) this.#fill();
    return false;
  }

  /** A heartbeat is for who has read everything. */
  beat(frame: Buffer): void {
    if (!this.#isFull) this.write(frame);
  }

  end(): void {
    if (!this.destroyed) this.push(null);
  }

  #fill(): void {
    this.#isFull = true;
    const { patienceMs } = this.options;
    if (patienceMs === undefined || this.isBehind) return;
    this.#impatience = setTimeout(() => {
      this.wasLate = true;
      this.destroy();
    }, patienceMs).unref();
  }
}
