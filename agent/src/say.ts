import { writeSync } from 'node:fs';

/** Writes to stderr: straight to the descriptor where that can take it, since Node needs 2 ms to make `process.stderr`. */
export function say(text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(2, bytes, written);
  } catch {
    process.stderr.write(bytes.subarray(written)); // such as a full pipe that somebody made non-blocking
  }
}
