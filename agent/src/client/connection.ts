/** The caller's stdin, stdout and stderr, connected with those of a container over the agent. */
import { Writable } from 'node:stream';
import { isCaissonError } from '@caisson/plugin-sdk';
import { feedTerminal } from '../run/feed-terminal.js';
import { enterRawMode } from '../run/raw-mode.js';
import type { AgentClient } from './agent-client.js';
import type { DetachKeys } from './detach-keys.js';
import { toWire } from './messages.js';
import { inputOf, outputOf, stdinPiece, windowSizeOf } from './process-io.js';
import type { Upload } from './upload.js';

const INPUT = 'ATTACH_CONTAINER_INPUT';

export interface ConnectionOptions {
  readonly isTerminal: boolean;
  /** `leave`: it stays as it is, for others to write to. */
  readonly stdin: 'hand on' | 'close' | 'leave';
  readonly detachKeys?: DetachKeys | undefined;
}

/** How it came to an end: the container's output did; the caller typed the keys for it; nobody reads what we write. */
export type Outcome = 'over' | 'detached' | 'unread';

/** One of them, from when a container is attached to until the caller's terminal is as it was. */
export class Connection {
  readonly #upload: Upload | undefined;
  readonly #undo: (() => void)[] = [];
  /** Rejects if input is refused; never resolves. */
  readonly #refused: Promise<never>;
  #leave: (outcome: Outcome) => void = () => {};
  readonly #left: Promise<Outcome>;

  constructor(
    client: AgentClient,
    id: string,
    private readonly options: ConnectionOptions,
  ) {
    this.#left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    // A size has to be told too.
    const sends = options.stdin !== 'leave' || options.isTerminal;
    this.#upload = sends ? client.upload(INPUT, inputOf(toWire(id))) : undefined;
    this.#refused = new Promise((_resolve, reject) => {
      this.#upload?.answered.catch((error: unknown) => {
        if (!isMereEnd(error)) reject(error);
      });
    });
    this.#refused.catch(() => {}); // where the end of the output came first
    if (options.isTerminal) this.#tellSize(process.stdout);
    if (options.stdin === 'hand on') this.#feed(process.stdin);
    else if (options.stdin === 'close') this.#keyboard().end();
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // `wrote` says it
  }

  /** Passes on what comes; resolves at its end. @throws what the agent says of our input, STREAM_BROKEN */
  async show(output: AsyncGenerator<Readonly<Record<string, unknown>>>): Promise<Outcome> {
    const shown = this.#showAll(output);
    shown.catch(() => {}); // where we have left before
    try {
      return await Promise.race([shown, this.#refused, this.#left]);
    } finally {
      this.close();
      // A generator that waits for its next record cannot be told to return: its connection is closed with the process.
    }
  }

  /** Leaves; the container goes on. */
  leave(): void {
    this.#leave('detached');
  }

  /** The caller's terminal is as it was. Idempotent. */
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.#upload?.abort();
  }

  async #showAll(output: AsyncGenerator<Readonly<Record<string, unknown>>>): Promise<Outcome> {
    for await (const record of output) {
      const piece = outputOf(record);
      if (piece && !(await wrote(piece.isError ? process.stderr : process.stdout, piece.data)))
        return 'unread';
    }
    return 'over';
  }

  #tellSize(output: NodeJS.WriteStream): void {
    if (!output.isTTY) return;
    const tell = () => void this.#upload?.send(windowSizeOf(output));
    tell();
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
    const upload = this.#upload!;
    return new Writable({
      write: (typed: Buffer, _encoding, done) => {
        const { data, detached } = this.options.detachKeys?.take(typed) ?? { data: typed, detached: false };
        const sent = data.length > 0 ? upload.send(stdinPiece(data)) : Promise.resolve();
        void sent.then(() => {
          if (detached) this.leave();
          done();
        });
      },
      final: (done) => {
        void upload.send(stdinPiece(Buffer.alloc(0))).then(() => {
          upload.end();
          done();
        });
      },
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
