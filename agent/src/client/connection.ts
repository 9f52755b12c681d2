/** The caller's stdin, stdout and stderr, connected with those of a container over the agent. */
import { Writable } from 'node:stream';
import { isCaissonError } from '@caisson/plugin-sdk';
import { feedTerminal } from '../run/feed-terminal.js';
import { enterRawMode } from '../run/raw-mode.js';
import type { AgentClient } from './agent-client.js';
import type { DetachKeys } from './detach-keys.js';
import { toWire } from './messages.js';
import { inputOf, outputOf, stdinPiece, windowSizeOf, writtenOf } from './process-io.js';
import type { Upload } from './upload.js';

const INPUT = 'ATTACH_CONTAINER_INPUT';

export interface ConnectionOptions {
  readonly isTerminal: boolean;
  /** `leave`: it stays as it is, for others to write to. */
  readonly stdin: 'hand on' | 'close' | 'leave';
  readonly detachKeys?: DetachKeys | undefined;
  /** After the connection broke off there may be another one: `reconnect`. */
  readonly awaitsAgent?: boolean;
}

/** How it came to an end: the container's output did; the caller typed the keys for it; nobody reads what we write. */
export type Outcome = 'over' | 'detached' | 'unread';

/** One of them, from when a container is attached to until the caller's terminal is as it was. */
export class Connection {
  #upload: Upload | undefined;
  /** Of the input, what was sent and may not be with the container. */
  #bytesOnTheirWay = 0;
  /** The connection that the input went over broke off: it waits for the next one. */
  #isBroken = false;
  #mended: () => void = () => {};
  #isClosed = false;
  /** Everything was sent, and the end. */
  #hasEnded = false;
  readonly #undo: (() => void)[] = [];
  #refuse: (error: unknown) => void = () => {};
  /** Rejects if input is refused; never resolves. */
  readonly #refused: Promise<never>;
  #leave: (outcome: Outcome) => void = () => {};
  /** Resolves when the caller leaves. */
  readonly left: Promise<Outcome>;

  constructor(
    private readonly client: AgentClient,
    private readonly id: string,
    private readonly options: ConnectionOptions,
  ) {
    this.left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#refused = new Promise((_resolve, reject) => {
      this.#refuse = reject;
    });
    this.#refused.catch(() => {}); // where the end of the output came first
    this.#connect();
    if (options.isTerminal) this.#tellSizes(process.stdout);
    if (options.stdin === 'hand on') this.#feed(process.stdin);
    else if (options.stdin === 'close') this.#keyboard().end();
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // `wrote` says it
  }

  /** Passes on what comes; resolves at its end. @throws what the agent says of our input, STREAM_BROKEN */
  async show(output: AsyncGenerator<Readonly<Record<string, unknown>>>): Promise<Outcome> {
    const shown = this.#showAll(output);
    shown.catch(() => {}); // where we have left before
    // A generator that waits for its next record cannot be told to return: its connection is closed with the process.
    return Promise.race([shown, this.#refused, this.left]);
  }

  /** Leaves; the container goes on. */
  leave(): void {
    this.#leave('detached');
  }

  /** Bytes of which nobody knows whether the container has them, since the connection broke off. */
  get lostBytes(): number {
    return this.#isBroken ? this.#bytesOnTheirWay : 0;
  }

  /** There is an agent again, to send to. */
  reconnect(): void {
    if (!this.#isBroken || this.#isClosed) return;
    this.#bytesOnTheirWay = 0;
    this.#connect();
    this.#mended();
    // Said twice, it does no harm.
    if (this.#hasEnded) void this.#sendEnd();
  }

  /** The caller's terminal is as it was. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.#upload?.abort();
    this.#mended();
  }

  #connect(): void {
    const { stdin, isTerminal } = this.options;
    // A size has to be told too.
    if (stdin === 'leave' && !isTerminal) return;
    this.#isBroken = false;
    this.#upload = this.client.upload(INPUT, inputOf(toWire(this.id)));
    this.#upload.answered.catch((error: unknown) => {
      if (isCaissonError(error) && error.code === 'AGENT_UNREACHABLE') this.#isBroken = true;
      else if (!isMereEnd(error)) this.#refuse(error);
    });
    if (isTerminal) this.#tellSize(process.stdout);
  }

  async #showAll(output: AsyncGenerator<Readonly<Record<string, unknown>>>): Promise<Outcome> {
    for await (const record of output) {
      this.#bytesOnTheirWay = Math.max(0, this.#bytesOnTheirWay - writtenOf(record));
      const piece = outputOf(record);
      if (piece && !(await wrote(piece.isError ? process.stderr : process.stdout, piece.data)))
        return 'unread';
    }
    return 'over';
  }

  #tellSize(output: NodeJS.WriteStream): void {
    if (output.isTTY) void this.#upload?.send(windowSizeOf(output));
  }

  #tellSizes(output: NodeJS.WriteStream): void {
    if (!output.isTTY) return;
    const tell = () => this.#tellSize(output);
    output.on('resize', tell);
    this.#undo.push(() => output.off('resize', tell));
  }

  #feed(input: NodeJS.ReadStream): void {
    const keyboard = this.#keyboard();
    if (this.options.isTerminal) {
      this.#undo.push(feedTerminal(keyboard, input), enterRawMode(input));
    } else {
      input.pipe(keyboard);
      this.#undo.push(() => void input.unpipe(keyboard).pause());
    }
    this.#undo.push(() => void keyboard.destroy());
  }

  /** Not faster than the container reads. */
  #keyboard(): Writable {
    return new Writable({
      write: (typed: Buffer, _encoding, done) => {
        const { data, detached } = this.options.detachKeys?.take(typed) ?? { data: typed, detached: false };
        void this.#send(data).then(() => {
          if (detached) this.leave();
          done();
        });
      },
      final: (done) => {
        this.#hasEnded = true;
        void this.#sendEnd().then(() => done());
      },
    });
  }

  /** What is typed while there is no agent, nobody wants to be typed later; what is piped waits. */
  async #send(data: Buffer): Promise<void> {
    if (data.length === 0 || (this.#isBroken && this.options.isTerminal)) return;
    await this.#unbroken();
    this.#bytesOnTheirWay += data.length;
    await this.#upload?.send(stdinPiece(data));
  }

  async #sendEnd(): Promise<void> {
    await this.#unbroken();
    await this.#upload?.send(stdinPiece(Buffer.alloc(0)));
    this.#upload?.end();
  }

  async #unbroken(): Promise<void> {
    if (!this.#isBroken || !this.options.awaitsAgent) return;
    await new Promise<void>((resolve) => {
      this.#mended = resolve;
    });
  }
}

/** Not faster than the reader; false if there is none any more. */
const wrote = (stream: NodeJS.WriteStream, data: Buffer): Promise<boolean> =>
  new Promise((resolve) => stream.write(data, (error) => resolve(!error)));

/** The container takes no input any more, or has ended: its output says more. */
const MERE_ENDS = [
  'CONTAINER_GONE',
  'CONTAINER_UNKNOWN',
  'INPUT_ENDED',
  'INPUT_REFUSED',
  'AGENT_UNREACHABLE',
];

const isMereEnd = (error: unknown): boolean => isCaissonError(error) && MERE_ENDS.includes(error.code);
