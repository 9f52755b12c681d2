import type { FastifyRequest } from 'fastify';
import type { Principal } from './authentication.js';

const principals = new WeakMap<FastifyRequest, Principal>();

export const setPrincipal = (request: FastifyRequest, principal: Principal): void =>
  void principals.set(request, principal);

/** Who sent the request; set before its route is called. */
export const principalOf = (request: FastifyRequest): Principal => principals.get(request)!;
