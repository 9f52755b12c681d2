/** `logs`: what a container has written, and with `-f` what it still writes, until it ends. */
import { isCaissonError } from '@caisson/plugin-sdk';
import type { AgentClient } from './agent-client.js';
import { toWire } from './messages.js';

const POLL_MS = 200;

interface Piece {
  readonly size: number;
  readonly data: string;
}

export interface LogsFlags {
  readonly follow?: true;
  readonly stderr?: true;
}

/** Bytes as they are. A file that was made shorter is read from its beginning again, as tail(1) does. */
export async function logs(client: AgentClient, id: string, { follow, stderr }: LogsFlags): Promise<number> {
  const path = `/containers/${id}/${stderr ? 'stderr' : 'stdout'}`;
  let offset = 0;
  for (;;) {
    // Asked first: what is written between the two questions is still read.
    const isOver = !follow || (await hasEnded(client, id));
    let piece: Piece;
    do {
      piece = await client.call<Piece>('READ_FILE', { path, offset });
      const data = Buffer.from(piece.data, 'base64');
      if (data.length > 0) await write(data);
      offset = piece.size < offset ? 0 : offset + data.length;
    } while (offset < piece.size);
    if (isOver) return 0;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function hasEnded(client: AgentClient, id: string): Promise<boolean> {
  try {
    return (
      (await client.call<{ state: string }>('GET_CONTAINER', { container_id: toWire(id) })).state === 'ENDED'
    );
  } catch (error) {
    if (isCaissonError(error) && error.code === 'CONTAINER_UNKNOWN') return true;
    throw error;
  }
}

/** Not faster than the reader. */
const write = (data: Buffer): Promise<void> =>
  new Promise((resolve, reject) =>
    process.stdout.write(data, (error) => (error ? reject(error) : resolve())),
  );
