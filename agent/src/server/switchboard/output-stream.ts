import { Readable } from 'node:stream';

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
  #impatience: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(private readonly options: OutputStreamOptions) {
    super({ highWaterMark: MOST_UNREAD });
    this.once('close', () => {
      clearTimeout(this.#impatience);
      options.drained(this);
      options.closed(this);
    });
  }

  override _read(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    clearTimeout(this.#impatience);
    this.options.drained(this);
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
    if (patienceMs === undefined) return;
    this.#impatience = setTimeout(() => {
      this.wasLate = true;
      this.destroy();
    }, patienceMs).unref();
  }
}
