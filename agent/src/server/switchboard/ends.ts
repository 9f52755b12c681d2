/** The agent's ends of a container's terminal or pipes, as streams. */
import { Socket } from 'node:net';
import { type ContainerPipes, type ContainerTerminal, messageOf } from '@caisson/plugin-sdk';
import { TerminalOutput } from '../../run/terminal-output.js';
import { MovedSource } from './moved-source.js';
import { type OutputSink, type OutputSource, ReadSource } from './output-source.js';
import { PipeOutput } from './pipe-output.js';
import type { OutputName } from './process-io.js';

/** Where a container reads. */
export interface InputEnd {
  /** One at a time. Resolves once the kernel has all of it. */
  write(data: Buffer): Promise<void>;
  /** After the last write. Undefined of a terminal, whose end of input is a character. */
  readonly end?: (() => void) | undefined;
  close(): void;
}

/** Where it writes. */
export interface Output {
  readonly name: OutputName;
  /** Once. */
  flowingTo(sink: OutputSink): OutputSource;
}

export interface Ends {
  readonly outputs: readonly Output[];
  /** Undefined: the container has been told the end of its stdin. */
  readonly input: InputEnd | undefined;
  /** Undefined of pipes. */
  readonly resize: ((columns: number, rows: number) => void) | undefined;
}

/** What a container writes to its stderr is not told apart. */
export function endsOfTerminal(terminal: ContainerTerminal): Ends {
  const stream = new TerminalOutput(terminal);
  return {
    outputs: [{ name: 'stdout', flowingTo: (sink) => new ReadSource(stream, sink) }],
    input: { write: (data) => terminal.write(data), close: () => {} },
    resize: (columns, rows) => terminal.resize(columns, rows),
  };
}

export function endsOfPipes(pipes: ContainerPipes): Ends {
  const { stdin, stdout, stderr } = pipes.take();
  return {
    outputs: [
      { name: 'stdout', flowingTo: (sink) => sourceOf(stdout, pipes, sink) },
      { name: 'stderr', flowingTo: (sink) => sourceOf(stderr, pipes, sink) },
    ],
    input: stdin === undefined ? undefined : new PipeInput(stdin, pipes),
    resize: undefined,
  };
}

const sourceOf = (pipe: number, { moves }: ContainerPipes, sink: OutputSink): OutputSource =>
  moves ? new MovedSource(pipe, moves, sink) : new ReadSource(new PipeOutput(pipe), sink);

class PipeInput implements InputEnd {
  readonly #stream: Socket;
  #problem: string | undefined;

  constructor(
    fd: number,
    private readonly pipes: ContainerPipes,
  ) {
    this.#stream = new Socket({ fd, readable: false, writable: true });
    this.#stream.on('error', (error) => {
      this.#problem ??= messageOf(error);
    });
  }

  write(data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#problem !== undefined) reject(new Error(this.#problem));
      else this.#stream.write(data, (error) => (error ? reject(error) : resolve()));
    });
  }

  end(): void {
    this.pipes.endInput();
    this.#stream.destroy();
  }

  close(): void {
    this.#stream.destroy();
  }
}
