import type { Readable, Writable } from 'node:stream';

/** VEOF of a fresh terminal: ^D. */
const END_OF_INPUT = '\x04';
const NEWLINE = 0x0a;

/** How often a container is reminded that there is no more input. */
const REMINDER_MS = 250;

/**
 * What is no terminal may end. A terminal is told by ^D at the start of a line, which holds for one read: said again and
 * again, it holds for whoever reads next, and for a program that was still changing the mode of its terminal.
 *
 * Returns what stops it.
 */
export function feedTerminal(keyboard: Writable, input: Readable): () => void {
  let last = NEWLINE;
  let reminder: NodeJS.Timeout | undefined;
  const remember = (chunk: Buffer) => {
    last = chunk.at(-1) ?? last;
  };
  const end = () => {
    keyboard.write(last === NEWLINE ? END_OF_INPUT : `\n${END_OF_INPUT}`);
    reminder = setInterval(() => keyboard.writableLength > 0 || keyboard.write(END_OF_INPUT), REMINDER_MS);
  };
  input.on('data', remember).once('end', end).pipe(keyboard, { end: false });
  return () => {
    clearInterval(reminder);
    input.off('data', remember).off('end', end).unpipe(keyboard).pause();
  };
}
