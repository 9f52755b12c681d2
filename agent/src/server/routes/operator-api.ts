/** POST /api/v1: finds the call, checks what it was sent, calls it, and answers in its name. */

import type { z } from '@caisson/plugin-sdk';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Answer, type Call, isStream, memberOf } from '../calls/call.js';
import { callByType, NOT_IMPLEMENTED } from '../calls/index.js';
import type { AgentContext, ReadyContext } from '../context.js';
import { apiErrors } from '../errors.js';
import { authorise } from '../http/authentication.js';
import { parseJson } from '../http/json.js';
import { checkAccept, checkContentType, checkFraming, JSON_TYPE, RECORDIO } from '../http/media-types.js';
import { principalOf } from '../http/principal.js';
import { problemsOf } from '../http/problems.js';
import type { Route } from '../http/route.js';
import { asApiError, errorBody } from '../http/status.js';

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
  const message = messageOf(parseJson((request.body as Buffer | undefined) ?? Buffer.alloc(0)));
  const call = callOf(message);
  checkFraming({ streamsIn: false, streamsOut: call.streams === true }, sent, accepted);
  authorise(principalOf(request), call.right, call.type);
  const input = inputOf(call, message);
  return answer(call, input, reply, context as ReadyContext);
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

function inputOf(call: Call, message: Message): unknown {
  if (!call.input) return undefined;
  const member = memberOf(call);
  const result = (call.input as z.ZodType).safeParse(message[member]);
  if (result.success) return result.data;
  throw apiErrors.CALL_INVALID(call.type, problemsOf(result.error, member));
}

async function answer(
  call: Call,
  input: unknown,
  reply: FastifyReply,
  context: ReadyContext,
): Promise<unknown> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  try {
    const result = await call.handle(input, context, { signal: gone.signal });
    if (!isStream(result)) return messageReply(call, result, reply);
    reply.header('Content-Type', RECORDIO).header('Message-Content-Type', JSON_TYPE);
    return reply.send(result.stream);
  } catch (error) {
    const status = call.statusOf?.(error);
    if (status === undefined) throw error;
    return reply.code(status).send(errorBody(asApiError(error, 0)));
  }
}

function messageReply(call: Call, result: Answer, reply: FastifyReply): unknown {
  if (result === undefined) return reply.code(200).send();
  const { type } = call;
  return reply.type(JSON_TYPE).send(JSON.stringify({ type, [memberOf(call)]: result }));
}
