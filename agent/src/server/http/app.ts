/**
 * One listener's HTTP: what every request passes, in this order, before anything of it is looked at: where it comes from,
 * who asks, how large it is (threat model A2, A3). Then the table of routes.
 */
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { CaissonError } from '@caisson/plugin-sdk';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { AgentContext } from '../context.js';
import { apiErrors } from '../errors.js';
import { routes } from '../routes/index.js';
import type { Limits } from '../settings/settings.js';
import type { Answer } from '../takeover/handover.js';
import { type AccessPolicy, authorise, identify } from './authentication.js';
import { RECORDIO } from './media-types.js';
import { checkOrigin } from './origin.js';
import { setPrincipal } from './principal.js';
import { limitRequest } from './request-time.js';
import type { Route } from './route.js';
import { asApiError, errorBody, statusOf } from './status.js';

export interface Listener {
  readonly policy: AccessPolicy;
  /** Of TCP: see `checkOrigin`. */
  readonly allowedHosts?: readonly string[] | undefined;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

export function createApp(context: AgentContext, listener: Listener): FastifyInstance {
  const { limits } = context.settings;
  const app = Fastify({
    bodyLimit: limits.bodyBytes,
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    clientErrorHandler: refuseMalformed,
    serverFactory: (handler) => limited(createServerOf(listener, limits, handler), context),
    frameworkErrors: (error, _request, reply) => sendError(context, reply, error),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // A stream: its records are read one by one, by the call.
  app.addContentTypeParser(RECORDIO, (_request, payload, done) => done(null, payload));
  app.setErrorHandler((error, _request, reply) => sendError(context, reply, error));
  app.setNotFoundHandler((request, reply) => sendError(context, reply, problemOfPath(request)));
  app.addHook('onRequest', async (request, reply) => {
    limitRequest(request.raw, limits.requestMs, () => refuseLate(reply, limits.requestMs));
    checkOrigin(request.headers, listener.allowedHosts);
  });
  for (const route of routes)
    for (const prefix of ['', '/slave(1)']) add(app, route, prefix, context, listener.policy);
  return app;
}

function createServerOf(
  { tls }: Listener,
  { headersMs }: Limits,
  handler: (...args: never[]) => void,
): HttpServer {
  const serve = handler as Parameters<typeof createServer>[1];
  // Node looks every 30 s for headers that are late.
  const options = { connectionsCheckingInterval: headersMs / 4 };
  return tls
    ? (createTlsServer({ ...tls, ...options, minVersion: 'TLSv1.2' }, serve) as unknown as HttpServer)
    : createServer(options, serve!);
}

function limited(server: HttpServer, { settings: { limits } }: AgentContext): HttpServer {
  server.maxConnections = limits.connections;
  server.headersTimeout = limits.headersMs;
  server.requestTimeout = 0; // see request-time.ts
  server.keepAliveTimeout = limits.idleMs;
  server.maxHeadersCount = 100;
  return server;
}

function add(
  app: FastifyInstance,
  route: Route,
  prefix: string,
  context: AgentContext,
  policy: AccessPolicy,
): void {
  app.route({
    method: route.method,
    url: `${prefix}${route.path}`,
    // Before the body is read.
    onRequest: async (request) => {
      if (route.right === undefined) return;
      const principal = identify(policy, request.headers.authorization);
      setPrincipal(request, principal);
      if (route.right !== 'call') authorise(principal, route.right, `${route.method} ${route.path}`);
      else if (principal.rights.length === 0) throw apiErrors.UNAUTHENTICATED();
      if (!route.early && !context.containers && context.handover.isHere) throw apiErrors.RECOVERING();
    },
    handler: async (request, reply) => {
      // A call is authorised first.
      if (route.right === 'call') return route.handle(request, reply, context);
      return context.handover.serve(request, reply, () => answerOf(route.handle(request, reply, context)));
    },
  });
}

/** A reply of the library is a promise too, of its being sent: nobody waits for that. */
async function answerOf(answer: unknown): Promise<Answer> {
  const settled = answer instanceof Promise ? await answer : answer;
  return () => settled;
}

/** 405 where another method is right. */
function problemOfPath({ method, url }: FastifyRequest): Error {
  const path = url.split('?', 1)[0]!.replace(/^\/slave\(1\)/, '');
  const known = routes.find((route) => route.path === path);
  return known
    ? apiErrors.METHOD_NOT_ALLOWED(method, known.method)
    : apiErrors.ROUTE_UNKNOWN(path.slice(0, 200));
}

const REALMS = 'Basic realm="mesos-agent-readwrite", Bearer realm="mesos-agent-readwrite"';

export function sendError(context: AgentContext, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = asApiError(thrown, context.settings.limits.bodyBytes);
  const status = statusOf(error);
  if (status === 401) reply.header('WWW-Authenticate', REALMS);
  if (status >= 500 && status !== 503) context.log.error({ code: error.code }, error.message);
  return reply.code(status).send(errorBody(error));
}

/** What is no HTTP gets an answer as far as it can be given, and no further attention. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET') return void socket.destroy();
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const isLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const status = isLate ? LATE : isLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
  refuse(socket, status, apiErrors.REQUEST_MALFORMED(error.message));
}

const LATE = '408 Request Timeout';

/** One that has its answer already was let to send the rest of its body. */
function refuseLate({ raw }: FastifyReply, ms: number): void {
  if (raw.headersSent) raw.req.destroy();
  else refuse(raw.req.socket, LATE, apiErrors.REQUEST_LATE(ms));
}

function refuse(socket: Socket, status: string, error: CaissonError): void {
  if (!socket.writable) return void socket.destroy();
  const body = JSON.stringify(errorBody(error));
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.destroySoon();
}
