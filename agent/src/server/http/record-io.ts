import { Readable } from 'node:stream';
import { frame } from '../../record-io.js';

/** What a client that does not read may cost (threat model A3). */
const MOST_BUFFERED = 1024 * 1024;

/** Records as they come. A client that lags too far behind is let go: it would miss some, or cost too much. */
export class RecordStream extends Readable {
  constructor(onClose: () => void) {
    super({ highWaterMark: 64 * 1024 });
    this.once('close', onClose);
  }

  override _read(): void {}

  write(record: unknown): void {
    if (this.destroyed || this.readableEnded) return;
    this.push(frame(record));
    if (this.readableLength > MOST_BUFFERED) this.destroy();
  }

  end(): void {
    if (!this.destroyed) this.push(null);
  }
}
