/** POST /api/v1: finds the call, checks what it was sent, calls it, and answers in its name. */

import type { Readable } from 'node:stream';
import type { z } from '@caisson/plugin-sdk';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { frame } from '../../record-io.js';
import { type Answer, type Call, type Caller, isStream, memberOf, type StreamAnswer } from '../calls/call.js';
import { callByType, NOT_IMPLEMENTED } from '../calls/index.js';
import { HAND_OVER } from '../calls/operator.js';
import type { AgentContext, ReadyContext } from '../context.js';
import { apiErrors } from '../errors.js';
import { authorise } from '../http/authentication.js';
import { parseJson } from '../http/json.js';
import {
  type Accepted,
  checkAccept,
  checkContentType,
  checkFraming,
  JSON_TYPE,
  RECORDIO,
} from '../http/media-types.js';
import { principalOf } from '../http/principal.js';
import { problemsOf } from '../http/problems.js';
import { RequestRecords } from '../http/request-records.js';
import type { Route } from '../http/route.js';
import { asApiError, errorBody } from '../http/status.js';
import type { Lasting, Answer as Reply } from '../takeover/handover.js';
import { relayed } from '../takeover/relay.js';
import { SharedRecords } from '../takeover/shared-records.js';
import type { Message as CallMessage, Successor } from '../takeover/successor.js';

export const operatorApi: Route = {
  method: 'POST',
  path: '/api/v1',
  summary: 'the operator API: a call and its input in the body',
  right: 'call',
  handle: serve,
};

async function serve(request: FastifyRequest, reply: FastifyReply, context: AgentContext): Promise<unknown> {
  const sent = checkContentType(request.headers);
  const accepted = checkAccept(request.headers);
  const { limits } = context.settings;
  const stream = sent === 'stream' ? new RequestRecords(request, limits) : undefined;
  try {
    const message = messageOf(parseJson(stream ? await stream.first() : bodyOf(request)));
    const call = callOf(message);
    checkFraming(
      { streamsIn: call.following !== undefined, streamsOut: call.streams === true },
      sent,
      accepted,
    );
    authorise(principalOf(request), call.right, call.type);
    const input = inputOf(call, message);
    const records = stream && new SharedRecords(followingRecords(call, stream));
    const here = () => answer(call, input, reply, context as ReadyContext, { accepted, records });
    // It would wait for its own end.
    if (call.type === HAND_OVER) return (await here())();
    return await context.handover.serve(request, reply, here, lastingOf(call, input, records));
  } finally {
    stream?.leave();
  }
}

const bodyOf = ({ body }: FastifyRequest): Buffer => (body as Buffer | undefined) ?? Buffer.alloc(0);

const messageOfCall = (call: Call, input: unknown): CallMessage => ({
  type: call.type,
  [memberOf(call)]: input,
});

/** Of a call that lasts: what another agent is asked if it takes over meanwhile. */
function lastingOf(call: Call, input: unknown, records: SharedRecords | undefined): Lasting | undefined {
  if (!call.lasts) return undefined;
  const began = performance.now();
  return {
    claimed: (isClaimed) => {
      if (records) records.isClaimed = isClaimed;
    },
    continued: () => {
      const message = call.continued?.(input, performance.now() - began);
      return records ? restOfRecords(call, input, records) : message && JSON.stringify(message);
    },
  };
}

/** As the client would send it: the first record again, then those that nobody has taken. */
async function* restOfRecords(call: Call, input: unknown, records: SharedRecords): AsyncGenerator<Buffer> {
  yield frame(messageOfCall(call, input));
  for await (const value of records.rest()) yield frame(messageOfCall(call, value));
}

/** Each says again which call it belongs to. */
async function* followingRecords(call: Call, stream: RequestRecords): AsyncGenerator<unknown> {
  for await (const record of stream.rest()) {
    const message = messageOf(parseJson(record));
    if (message.type !== call.type)
      throw apiErrors.CALL_INVALID(call.type, [`type: ${call.type} is expected`]);
    yield parsed(call, call.following!, message);
  }
}

type Message = Readonly<Record<string, unknown>> & { readonly type: string };

function messageOf(body: unknown): Message {
  const { type } = (body ?? {}) as { type?: unknown };
  if (typeof type !== 'string') throw apiErrors.REQUEST_MALFORMED('an object with a `type` is expected');
  return body as Message;
}

function callOf({ type }: Message): Call {
  const call = callByType.get(type);
  if (call) return call;
  if (NOT_IMPLEMENTED.has(type)) throw apiErrors.CALL_NOT_IMPLEMENTED(type);
  throw apiErrors.CALL_UNKNOWN(type.slice(0, 100));
}

const inputOf = (call: Call, message: Message): unknown =>
  call.input ? parsed(call, call.input, message) : undefined;

function parsed(call: Call, schema: z.ZodType, message: Message): unknown {
  const member = memberOf(call);
  const result = schema.safeParse(message[member]);
  if (result.success) return result.data;
  throw apiErrors.CALL_INVALID(call.type, problemsOf(result.error, member));
}

async function answer(
  call: Call,
  input: unknown,
  reply: FastifyReply,
  context: ReadyContext,
  { accepted, records }: { accepted: Accepted; records: AsyncIterator<unknown> | undefined },
): Promise<Reply> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  try {
    const caller = { signal: gone.signal, records };
    const result = await call.handle(input, context, caller);
    if (!isStream(result)) return () => messageReply(call, result, reply);
    if (call.endsWithAgent) return () => streamReply(result.stream, reply, accepted);
    const rest = restOf(call, input, result, context, caller);
    return () => streamReply(relayed(result.stream, context.handover, rest), reply, accepted);
  } catch (error) {
    const status = call.statusOf?.(error);
    if (status === undefined) throw error;
    return () => reply.code(status).send(errorBody(asApiError(error, 0)));
  }
}

/** Of a stream that was cut short by a takeover: the successor's, or our own if there is none. */
function restOf(call: Call, input: unknown, answered: StreamAnswer, context: ReadyContext, caller: Caller) {
  let cut = answered;
  return async (successor: Successor | undefined): Promise<Readable | undefined> => {
    const continued = cut.continued?.() ?? input;
    if (successor) return successor.stream(messageOfCall(call, continued));
    try {
      const again = await call.handle(continued, context, caller);
      if (!isStream(again)) return undefined;
      cut = again;
      return again.stream;
    } catch {
      return undefined;
    }
  };
}

function streamReply(stream: Readable, reply: FastifyReply, accepted: Accepted): FastifyReply {
  reply.headers(headersOfStream(accepted));
  reply.send(stream);
  // They would wait for the first record, and who attaches for them.
  reply.raw.flushHeaders();
  return reply;
}

/** The records are framed all the same where only messages were asked for, as in Mesos. */
const headersOfStream = (accepted: Accepted): Record<string, string> =>
  accepted === 'json'
    ? { 'Content-Type': JSON_TYPE }
    : { 'Content-Type': RECORDIO, 'Message-Content-Type': JSON_TYPE };

function messageReply(call: Call, result: Answer, reply: FastifyReply): unknown {
  if (result === undefined) return reply.code(200).send();
  const { type } = call;
  return reply.type(JSON_TYPE).send(JSON.stringify({ type, [memberOf(call)]: result }));
}
