/** A stream to a client that goes on when another agent has taken over. */
import { PassThrough, type Readable } from 'node:stream';
import type { Handover } from './handover.js';
import type { Message } from './successor.js';

/** @param continued  what the successor is asked for the rest of it */
export function relayed(source: Readable, handover: Handover, continued: () => Message): Readable {
  const relay = new PassThrough();
  let current = source;
  let isMoved = false;
  const follow = (next: Readable): void => {
    current = next;
    next.pipe(relay);
    next.once('error', () => relay.destroy());
  };
  const stop = handover.onMoved(async () => {
    isMoved = true;
    source.unpipe(relay);
    // What it has in hand by now belongs to the client.
    for (let rest = source.read(); rest !== null; rest = source.read()) relay.write(rest);
    source.destroy();
    const message = continued();
    try {
      const successor = await handover.successor();
      const rest = await successor?.stream(message);
      // What it was of may have ended meanwhile.
      if (rest?.statusCode === 200 && !relay.destroyed) follow(rest);
      else {
        rest?.destroy();
        relay.end();
      }
    } catch {
      relay.destroy();
    }
  });
  source.once('close', () => {
    // Without its end: the client lags behind, or the agent stops.
    if (!isMoved && !source.readableEnded) relay.destroy();
  });
  relay.once('close', () => {
    stop();
    current.destroy();
  });
  follow(source);
  return relay;
}
