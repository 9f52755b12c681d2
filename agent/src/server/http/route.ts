import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AgentContext } from '../context.js';
import type { Right } from './authentication.js';

/** An endpoint. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  /** Undefined: for everybody. `call`: as the call in the body says. */
  readonly right: Right | 'call' | undefined;
  /** Answered while containers are being recovered. */
  readonly early?: true | undefined;
  handle(request: FastifyRequest, reply: FastifyReply, context: AgentContext): unknown;
}
