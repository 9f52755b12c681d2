import type { Readable } from 'node:stream';
import type { OutputFile } from './output-file.js';

/** Where what a container writes to its terminal or to one of its pipes comes from. */
export interface OutputSource {
  /** It comes until `pause`. Before the first `resume`, all of it stays where it is. */
  resume(): void;
  pause(): void;
  /** What this process has in its hands by now goes where it belongs, also while it is paused. */
  empty(): void;
  /** Gives back what this process holds. Idempotent. */
  close(): void;
}

/** Where it goes: into its file, and to those who look. */
export interface OutputSink {
  readonly file: OutputFile;
  /** False: nobody looks at what `show` is given. */
  isWatched(): boolean;
  /** What is in the file by now, or what the file does not take. May pause or close the source. */
  show(data: Buffer): void;
  /** There is no more. Once. */
  closed(): void;
}

/** One that is read: what it gives is in this process for a moment, and lost if that is killed just then. */
export class ReadSource implements OutputSource {
  #isStarted = false;

  constructor(
    private readonly stream: Readable,
    private readonly sink: OutputSink,
  ) {
    stream.on('error', () => {}); // EIO: nobody has the terminal open any more
    stream.once('close', () => sink.closed());
  }

  resume(): void {
    if (this.#isStarted) this.stream.resume();
    else this.#start();
  }

  pause(): void {
    this.stream.pause();
  }

  empty(): void {
    // Each piece is told as `data`, too.
    if (this.#isStarted) while (this.stream.read() !== null) {}
  }

  close(): void {
    this.stream.destroy();
  }

  #start(): void {
    this.#isStarted = true;
    this.stream.on('data', (data: Buffer) => {
      this.sink.file.append(data);
      this.sink.show(data);
    });
  }
}
