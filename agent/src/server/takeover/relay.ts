/** A stream to a client that goes on when another agent has taken over, and when the containers were taken back. */
import { PassThrough, type Readable } from 'node:stream';
import type { Handover } from './handover.js';
import type { Successor } from './successor.js';

/** @param rest  of the successor, or of this agent again; undefined: there is none, what it was of has ended */
export function relayed(
  source: Readable,
  handover: Handover,
  rest: (successor: Successor | undefined) => Promise<Readable | undefined>,
): Readable {
  const relay = new PassThrough();
  let current: Readable | undefined;
  const follow = (next: Readable): void => {
    current = next;
    next.pipe(relay);
    next.once('error', () => relay.destroy());
    // Without its end: the client lags behind, or the agent stops.
    next.once('close', () => {
      if (current === next && !next.readableEnded) relay.destroy();
    });
  };
  const stop = handover.onMoved(async () => {
    const left = current;
    current = undefined;
    if (left) leave(left, relay);
    try {
      const next = await rest(await handover.successor());
      if (next && !relay.destroyed) follow(next);
      else {
        next?.destroy();
        relay.end();
      }
    } catch {
      relay.destroy();
    }
  });
  relay.once('close', () => {
    stop();
    current?.destroy();
  });
  follow(source);
  return relay;
}

/** What it has in hand by now belongs to the client. */
function leave(source: Readable, relay: PassThrough): void {
  source.unpipe(relay);
  for (let piece = source.read(); piece !== null; piece = source.read()) relay.write(piece);
  source.destroy();
}
