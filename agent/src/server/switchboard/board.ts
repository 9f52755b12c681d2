import { type Logger, messageOf } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { BoardInput } from './board-input.js';
import { catchUp } from './catch-up.js';
import type { Ends } from './ends.js';
import type { OutputFiles } from './output-files.js';
import { OutputStream } from './output-stream.js';
import { type OutputName, outputFrame, type Position, writtenFrame } from './process-io.js';

/** What still holds a container's output open when it has ended is not the container. */
const LAST_WORDS_MS = 1000;
/** How long those may take who come back after another agent took over: one that has left meanwhile never does. */
const COME_BACK_WITHIN_MS = 15_000;

/** Between a container and those who have attached to it. Everything that it writes goes to its sandbox's files too. */
export class Board {
  /** What it wrote has been passed on, and there is no more. */
  readonly finished: Promise<void>;
  readonly input: BoardInput;
  readonly #streams = new Set<OutputStream>();
  /** Those that have enough for now: the container waits for them. */
  readonly #full = new Set<OutputStream>();
  #open: number;
  #started = false;
  /** How many are still to come back. */
  #awaited = 0;
  #patience: NodeJS.Timeout | undefined;
  #ended = false;
  #deadline: NodeJS.Timeout | undefined;
  #finish: () => void = () => {};

  constructor(
    private readonly id: string,
    private readonly ends: Ends,
    private readonly files: OutputFiles,
    private readonly log: Logger,
  ) {
    this.#open = ends.outputs.length;
    this.input = new BoardInput(id, ends.input);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    for (const { stream } of ends.outputs) {
      stream.on('error', () => {}); // EIO: nobody has the terminal open any more
      stream.once('close', () => this.#closed());
    }
  }

  /** How many have attached to its output, and do not know where they are in it. */
  get attached(): number {
    return [...this.#streams].filter(({ position }) => position === undefined).length;
  }

  /** What it writes waits until so many have come back who had attached to the agent before: they miss nothing. */
  await(count: number): void {
    this.#awaited = count;
    this.#patience = setTimeout(() => this.#letGo(), COME_BACK_WITHIN_MS).unref();
  }

  #hasComeBack(): void {
    if (this.#awaited > 1) this.#awaited -= 1;
    else if (this.#awaited === 1) this.#letGo();
  }

  #letGo(): void {
    clearTimeout(this.#patience);
    this.#awaited = 0;
    this.start();
  }

  /** Takes what the container writes, from now on. Before that, it waits as soon as its pipe is full. */
  start(): void {
    if (this.#started || this.#awaited > 0) return;
    this.#started = true;
    for (const { name, stream } of this.ends.outputs)
      stream.on('data', (data: Buffer) => this.#pass(name, data));
  }

  /**
   * What it writes from now on, and its end.
   *
   * @param patienceMs  see OutputStream
   * @param from  before that, what is in its files from there on; where that is comes first
   * @param isBack  it had attached to the agent before
   */
  attach(
    patienceMs: number | undefined,
    {
      from,
      isBack = false,
    }: { readonly from?: Position | undefined; readonly isBack?: boolean | undefined } = {},
  ): OutputStream {
    const stream = new OutputStream({
      patienceMs,
      drained: (each) => this.#drained(each),
      closed: (each) => this.#left(each),
    });
    if (from) void this.#catchUp(stream, from);
    else this.#join(stream);
    if (isBack) this.#hasComeBack();
    this.start();
    return stream;
  }

  /** So much of what was sent to it, it has: for those who want to know where they are. */
  acknowledge(bytes: number): void {
    const frame = writtenFrame(bytes);
    for (const stream of this.#streams) if (stream.position) stream.write(frame);
  }

  #join(stream: OutputStream): void {
    if (this.#open === 0) stream.end();
    else this.#streams.add(stream);
  }

  async #catchUp(stream: OutputStream, from: Position): Promise<void> {
    const names = this.ends.outputs.map(({ name }) => name);
    try {
      await catchUp(stream, this.files, names, from, () => this.#join(stream));
    } catch (error) {
      this.log.warn({ container: this.id, error: messageOf(error) }, 'what it has written cannot be read');
      stream.destroy();
    }
  }

  /** @throws NO_TERMINAL */
  resize(columns: number, rows: number): void {
    if (!this.ends.resize) throw apiErrors.NO_TERMINAL(this.id);
    this.ends.resize(columns, rows);
  }

  /** The container has ended: nobody is kept waiting for its last words. */
  settle(): void {
    this.#ended = true;
    this.#letGo();
    this.#resume();
    this.#deadline = setTimeout(() => this.#closeEnds(), LAST_WORDS_MS);
    if (this.#open === 0) clearTimeout(this.#deadline);
  }

  /** Gives back what this process holds. The container goes on: to those who have attached it is not the end. */
  close(): void {
    this.#streams.clear();
    this.#closeEnds();
  }

  #closeEnds(): void {
    clearTimeout(this.#patience);
    this.input.close();
    for (const { stream } of this.ends.outputs) stream.destroy();
  }

  #pass(name: OutputName, data: Buffer): void {
    this.files.append(name, data);
    if (this.#streams.size === 0) return;
    const frame = outputFrame(name, data);
    for (const stream of this.#streams) {
      if (stream.position) stream.position[name] = (stream.position[name] ?? 0) + data.length;
      if (!stream.write(frame)) this.#full.add(stream);
    }
    if (this.#full.size > 0 && !this.#ended) for (const { stream } of this.ends.outputs) stream.pause();
  }

  #drained(stream: OutputStream): void {
    if (this.#full.delete(stream) && this.#full.size === 0) this.#resume();
  }

  #left(stream: OutputStream): void {
    this.#streams.delete(stream);
    if (stream.wasLate)
      this.log.warn({ container: this.id }, 'one who had attached to it was too slow and was let go');
  }

  #resume(): void {
    if (this.#started) for (const { stream } of this.ends.outputs) stream.resume();
  }

  #closed(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearTimeout(this.#deadline);
    this.input.close();
    this.files.close();
    for (const stream of this.#streams) stream.end();
    this.#finish();
  }
}
