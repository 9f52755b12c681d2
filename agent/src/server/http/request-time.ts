/**
 * How long a whole request may take (threat model A3). Not by the server's own `requestTimeout`, which knows no request
 * that goes on for as long as somebody types.
 */
import type { IncomingMessage } from 'node:http';

const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** Calls `late` unless the request is there completely within that time; also instead of an earlier limit. */
export function limitRequest(request: IncomingMessage, ms: number, late: () => void): void {
  unlimitRequest(request);
  if (request.complete && request.readableEnded) return;
  timers.set(request, setTimeout(late, ms).unref());
  const stop = () => unlimitRequest(request);
  request.once('end', stop).once('close', stop);
}

/** It may take its time from now on. */
export const unlimitRequest = (request: IncomingMessage): void => clearTimeout(timers.get(request));
