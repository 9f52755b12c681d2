/**
 * Raw mode of the terminal on stdin, by stty(1). Node's own `setRawMode` leaves the translation of output on, so that a
 * line feed of an editor in the container would also move the cursor to the left margin.
 *
 * Source  termios(3); libuv's UV_TTY_MODE_RAW keeps ONLCR
 */
import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';

function stty(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('stty', args, {
    stdio: ['inherit', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** Returns what leaves it again; an early end of this process does too. Nothing happens if stdin is no terminal. */
export function enterRawMode(input: ReadStream): () => void {
  if (!input.isTTY) return () => {};
  const before = stty('-g');
  if (before === undefined || stty('raw', '-echo') === undefined) input.setRawMode(true); // a host without stty
  const leave = () => {
    process.off('exit', leave);
    if (before === undefined || stty(before) === undefined) input.setRawMode(false);
  };
  process.once('exit', leave);
  return leave;
}
