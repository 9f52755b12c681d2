/** SUBSCRIBE: what happens to containers, as a stream of records; the first one says what there is. */
import type { ContainerEvent } from '@caisson/core';
import { toWire } from '../http/ids.js';
import { RecordStream } from '../http/record-io.js';
import { asApiError, errorBody } from '../http/status.js';
import { terminationView } from '../views/termination.js';
import { defineCall, type ReadyContext, type StreamAnswer } from './call.js';
import { toWireResources } from './resources.js';
import { nanoseconds } from './values.js';

type Told = Exclude<ContainerEvent, { type: 'tap' }>;

const failure = (error: Error) => errorBody(asApiError(error, 0)).error;

/** An event as the API writes it: CONTAINER_<TYPE>, with a member of that name. */
export function eventRecord(event: Told): object {
  const type = `CONTAINER_${event.type.replaceAll('-', '_').toUpperCase()}`;
  return { type, [type.toLowerCase()]: { container_id: toWire(event.id), ...contentOf(event) } };
}

function contentOf(event: Told): object {
  switch (event.type) {
    case 'state':
      return { state: event.state, ...(event.pid !== undefined && { pid: event.pid }) };
    case 'limitation':
      return { reason: event.limitation.reason, message: event.limitation.message };
    case 'ended':
      return terminationView(event.termination);
    case 'launch-failed':
    case 'destroy-failed':
      return { error: failure(event.error) };
    case 'updated':
      return { resources: toWireResources(event.resources) };
    case 'removed':
      return {};
  }
}

function subscribe(context: ReadyContext): StreamAnswer {
  const { containers, settings } = context;
  const stop = containers.onEvent((event) => {
    if (event.type !== 'tap') stream.write(eventRecord(event));
  });
  const interval = settings.heartbeatMs;
  const heartbeat = setInterval(() => stream.write({ type: 'HEARTBEAT' }), interval).unref();
  const stream = new RecordStream(() => {
    stop();
    clearInterval(heartbeat);
  });
  const known = containers.list().map(({ id, state }) => ({ container_id: toWire(id), state }));
  stream.write({
    type: 'SUBSCRIBED',
    subscribed: { heartbeat_interval: nanoseconds(interval), containers: known },
  });
  return { stream };
}

export const subscribeCall = defineCall({
  type: 'SUBSCRIBE',
  summary: 'a stream of what happens to containers',
  right: 'read',
  streams: true,
  handle: (_input, context) => subscribe(context),
});
