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
import { enterRawMode } from './raw-mode.js';

export interface Relay {
  /** Everything that the container wrote has been passed on. */
  readonly drained: Promise<void>;
  /** Puts the caller's terminal back. */
  restore(): void;
}

type Input = NodeJS.ReadStream;
type Output = NodeJS.WriteStream;

/** VEOF of a fresh terminal: ^D. */
const END_OF_INPUT = '\x04';
const NEWLINE = 0x0a;

export function relay(terminal: ContainerTerminal, input: Input, output: Output): Relay {
  const master = new ReadStream(terminal.take());
  master.pipe(output, { end: false });
  const unfeed = feed(master, input);
  const leaveRawMode = enterRawMode(input);
  const resize = () => terminal.resize(output.columns, output.rows);
  output.on('resize', resize);
  const drained = new Promise<void>((resolve, reject) => {
    master.once('close', resolve);
    // The last process that had the terminal open has ended: Linux says EIO, others an end of file.
    master.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EIO') reject(error);
    });
  });
  // Nobody reads any more: as when a window is closed, the container's terminal hangs up.
  output.once('error', () => master.destroy());
  return {
    drained,
    restore() {
      output.off('resize', resize);
      unfeed();
      leaveRawMode();
      master.destroy();
    },
  };
}

/** How often a container is reminded that there is no more input. */
const REMINDER_MS = 250;

/**
 * What is no terminal may end. A terminal is told by ^D at the start of a line, which holds for one read: said again and
 * again, it holds for whoever reads next, and for a program that was still changing the mode of its terminal.
 */
function feed(master: ReadStream, input: Input): () => void {
  let last = NEWLINE;
  let reminder: NodeJS.Timeout | undefined;
  const remember = (chunk: Buffer) => {
    last = chunk.at(-1) ?? last;
  };
  const end = () => {
    master.write(last === NEWLINE ? END_OF_INPUT : `\n${END_OF_INPUT}`);
    reminder = setInterval(() => master.writableLength > 0 || master.write(END_OF_INPUT), REMINDER_MS);
  };
  input.on('data', remember).once('end', end).pipe(master, { end: false });
  return () => {
    clearInterval(reminder);
    input.off('data', remember).off('end', end).unpipe(master).pause();
  };
}
