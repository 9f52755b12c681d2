/**
 * The caller's terminal, connected with that of a container: bytes both ways, and its size.
 *
 * The caller's terminal is in raw mode meanwhile, so that ^C and ^Z are the container's. Whatever happens it is put
 * back as it was, save for a SIGKILL of this process.
 *
 * Source  pty(7), termios(3)
 */
import { ReadStream } from 'node:tty';
import type { ContainerTerminal } from '@caisson/plugin-sdk';

export interface Relay {
  /** Everything that the container wrote has been passed on. */
  readonly drained: Promise<void>;
  /** Puts the caller's terminal back. Idempotent. */
  restore(): void;
}

type Input = NodeJS.ReadStream;
type Output = NodeJS.WriteStream;

/** VEOF of a fresh terminal: ^D. */
const END_OF_INPUT = '\x04';

export function relay(terminal: ContainerTerminal, input: Input, output: Output): Relay {
  const master = new ReadStream(terminal.take());
  master.pipe(output, { end: false });
  feed(master, input);
  const stopRestoring = rawMode(input);
  const resize = () => terminal.resize(output.columns, output.rows);
  output.on('resize', resize);
  return {
    drained: new Promise((resolve, reject) => {
      // The last process that had the terminal open has ended: Linux says EIO, others an end of file.
      master.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EIO' ? resolve() : reject(error),
      );
      master.once('end', resolve);
    }),
    restore() {
      output.off('resize', resize);
      input.unpipe(master).pause();
      stopRestoring();
      master.destroy();
    },
  };
}

/** What is no terminal ends, and a terminal says that with ^D, which must stand at the start of a line. */
function feed(master: ReadStream, input: Input): void {
  let last = 0x0a;
  input.on('data', (chunk: Buffer) => {
    last = chunk.at(-1) ?? last;
  });
  input.once('end', () => master.write(last === 0x0a ? END_OF_INPUT : END_OF_INPUT + END_OF_INPUT));
  input.pipe(master, { end: false });
}

/** Returns what ends it; a process that exits early ends it too. */
function rawMode(input: Input): () => void {
  if (!input.isTTY) return () => {};
  const restore = () => {
    process.off('exit', restore);
    input.setRawMode(false);
  };
  input.setRawMode(true);
  process.once('exit', restore);
  return restore;
}
