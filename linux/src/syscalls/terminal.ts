import { ioctl } from './files.js';

const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;

export interface WindowSize {
  columns: number;
  rows: number;
}

/** `struct winsize` (ioctl_tty(2)). */
export function windowSizeBuffer({ columns, rows }: WindowSize): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeUInt16LE(rows, 0);
  buffer.writeUInt16LE(columns, 2);
  return buffer;
}

/** The size of a terminal in characters. @throws SyscallError  ENOTTY */
export function windowSize(fd: number): WindowSize {
  const buffer = Buffer.alloc(8);
  ioctl(fd, TIOCGWINSZ, buffer);
  return { rows: buffer.readUInt16LE(0), columns: buffer.readUInt16LE(2) };
}

/** Changes the size of a terminal; its foreground process group gets SIGWINCH. @throws SyscallError  ENOTTY */
export function setWindowSize(fd: number, size: WindowSize): void {
  ioctl(fd, TIOCSWINSZ, windowSizeBuffer(size));
}
