/**
 * A web page that the operator has open must not speak to the agent (threat model A2): browsers say where a page is from
 * (Origin), and a name that was rebound to our address shows in Host.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { apiErrors } from '../errors.js';

/** @param allowed  names without port, of a TCP listener; undefined: a Unix socket, which no browser reaches */
export function checkOrigin(headers: IncomingHttpHeaders, allowed: readonly string[] | undefined): void {
  const { origin, host = '' } = headers;
  if (origin !== undefined) throw apiErrors.ORIGIN_REFUSED(origin);
  if (allowed && !allowed.includes(nameOf(host))) throw apiErrors.HOST_REFUSED(host);
}

/** `[::1]:5051` is `::1`. */
const nameOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');
