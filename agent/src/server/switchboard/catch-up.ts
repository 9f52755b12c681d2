import type { OutputFile, OutputReader } from './output-file.js';
import type { OutputStream } from './output-stream.js';
import { outputFrame, type Position, positionFrame } from './process-io.js';

/**
 * Gives a stream what is in the files from a position on, as fast as it is read, and then `join`s it with those that get what is
 * written: nothing is missing in between, and nothing comes twice.
 *
 * @param from  where to begin; absent of a file: at its end
 */
export async function catchUp(
  stream: OutputStream,
  files: readonly OutputFile[],
  from: Position,
  join: () => void,
): Promise<void> {
  const readers = files.flatMap((file) => file.reader() ?? []);
  try {
    const position = beginning(readers, from);
    stream.position = position;
    stream.write(positionFrame(position));
    stream.isBehind = true;
    while (!stream.destroyed && passPiece(stream, readers, position)) await stream.room();
    // Without a turn of the event loop since the last look: nothing was written meanwhile.
    stream.isBehind = false;
    if (!stream.destroyed) join();
  } finally {
    for (const reader of readers) reader.close();
  }
}

/** Not behind the end: what could not be written there is nowhere. */
const beginning = (readers: readonly OutputReader[], from: Position): Position =>
  Object.fromEntries(readers.map(({ name, size }) => [name, Math.min(from[name] ?? size, size)]));

/** False if there is none. */
function passPiece(stream: OutputStream, readers: readonly OutputReader[], position: Position): boolean {
  for (const reader of readers) {
    const at = position[reader.name] ?? 0;
    const piece = reader.read(at);
    if (piece.length === 0) continue;
    position[reader.name] = at + piece.length;
    stream.write(outputFrame(reader.name, piece));
    return true;
  }
  return false;
}
