import { type Logger, messageOf } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { BoardInput } from './board-input.js';
import { catchUp } from './catch-up.js';
import type { Ends } from './ends.js';
import type { OutputFile } from './output-file.js';
import type { OutputSink, OutputSource } from './output-source.js';
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
  readonly #files: readonly OutputFile[];
  readonly #sources: readonly OutputSource[];
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
    fileOf: (name: OutputName) => OutputFile,
    private readonly log: Logger,
  ) {
    this.#files = ends.outputs.map(({ name }) => fileOf(name));
    this.#sources = ends.outputs.map((output, at) => output.flowingTo(this.#sink(this.#files[at]!)));
    this.#open = this.#sources.length;
    this.input = new BoardInput(id, ends.input);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
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
    this.#resume();
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
    try {
      await catchUp(stream, this.#files, from, () => this.#join(stream));
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
    for (const source of this.#sources) source.empty();
    this.#streams.clear();
    this.#closeEnds();
  }

  #closeEnds(): void {
    clearTimeout(this.#patience);
    this.input.close();
    for (const source of this.#sources) source.close();
  }

  #sink(file: OutputFile): OutputSink {
    return {
      file,
      isWatched: () => this.#streams.size > 0,
      show: (data) => this.#show(file.name, data),
      closed: () => this.#closed(),
    };
  }

  #show(name: OutputName, data: Buffer): void {
    if (this.#streams.size === 0) return;
    const frame = outputFrame(name, data);
    for (const stream of this.#streams) {
      if (stream.position) stream.position[name] = (stream.position[name] ?? 0) + data.length;
      if (!stream.write(frame)) this.#full.add(stream);
    }
    if (this.#full.size > 0 && !this.#ended) for (const source of this.#sources) source.pause();
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
    if (this.#started) for (const source of this.#sources) source.resume();
  }

  #closed(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearTimeout(this.#deadline);
    this.input.close();
    for (const file of this.#files) file.close();
    for (const stream of this.#streams) stream.end();
    this.#finish();
  }
}
