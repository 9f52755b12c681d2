/**
 * The caller's terminal, connected with that of a container: bytes both ways, and its size.
 *
 * The caller's terminal is in raw mode meanwhile, so that ^C and ^Z are the container's. Whatever happens it is put
 * back as it was, save for a SIGKILL of this process.
 *
 * Source  pty(7), termios(3)
 */
import { Writable } from 'node:stream';
import type { ContainerTerminal } from '@caisson/plugin-sdk';
import { feedTerminal } from './feed-terminal.js';
import { enterRawMode } from './raw-mode.js';
import { TerminalOutput } from './terminal-output.js';

export interface Relay {
  /** Everything that the container wrote has been passed on. */
  readonly drained: Promise<void>;
  /** Puts the caller's terminal back. */
  restore(): void;
}

export function relay(
  terminal: ContainerTerminal,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
): Relay {
  const master = new TerminalOutput(terminal);
  master.pipe(output, { end: false });
  const keyboard = keyboardOf(terminal);
  const unfeed = feedTerminal(keyboard, input);
  const leaveRawMode = enterRawMode(input);
  const resize = () => terminal.resize(output.columns, output.rows);
  output.on('resize', resize);
  const drained = new Promise<void>((resolve) => {
    master.once('close', resolve);
  });
  // Nobody reads any more: as when a window is closed, the container's terminal hangs up.
  output.once('error', () => master.destroy());
  return {
    drained,
    restore() {
      output.off('resize', resize);
      unfeed();
      keyboard.destroy();
      leaveRawMode();
      master.destroy();
    },
  };
}

function keyboardOf(terminal: ContainerTerminal): Writable {
  const keyboard = new Writable({
    write: (data: Buffer, _encoding, done) => void terminal.write(data).then(() => done(), done),
  });
  return keyboard.on('error', () => {}); // EIO: its end is told by the other side
}
