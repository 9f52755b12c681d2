/** The agent that follows this one, as an HTTP client sees it. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { JSON_TYPE, RECORDIO } from '../http/media-types.js';

/** A call with its input. */
export interface Message {
  readonly type: string;
  readonly [member: string]: unknown;
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer | AsyncIterable<Buffer>;
}

export class Successor {
  constructor(private readonly socketPath: string) {}

  static answers(socketPath: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(socketPath, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }

  send({ method, path, headers, body }: Sent): Promise<IncomingMessage> {
    const { socketPath } = this;
    return new Promise((resolve, reject) => {
      const length = Buffer.isBuffer(body) && { 'content-length': body.length };
      const options = { socketPath, method, path, agent: false, headers: { ...headers, ...length } };
      const sent = httpRequest(options, resolve);
      sent.once('error', reject);
      if (Buffer.isBuffer(body)) sent.end(body);
      else
        Readable.from(body)
          .on('error', () => sent.destroy())
          .pipe(sent);
    });
  }

  /** The records of a call that streams; undefined: what it is of has ended. */
  async stream(message: Message): Promise<IncomingMessage | undefined> {
    const headers = { 'content-type': JSON_TYPE, accept: RECORDIO, 'message-accept': JSON_TYPE };
    const body = Buffer.from(JSON.stringify(message));
    const response = await this.send({ method: 'POST', path: '/api/v1', headers, body });
    if (response.statusCode === 200) return response;
    response.destroy();
    return undefined;
  }
}

/** What is between two neighbours alone (RFC 9110, section 7.6.1), and the length, which may change. */
const OF_THE_HOP = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'upgrade',
  'expect',
  'content-length',
];

const endToEnd = (headers: Sent['headers']): Sent['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THE_HOP.includes(name)));

/** Its answer is ours. @param instead  of the body that was sent */
export async function passOn(
  successor: Successor,
  { method, url, headers, body }: FastifyRequest,
  reply: FastifyReply,
  instead?: string | AsyncIterable<Buffer>,
): Promise<FastifyReply> {
  const response = await successor.send({
    method,
    path: url,
    headers: endToEnd(headers),
    body: typeof instead === 'string' ? Buffer.from(instead) : (instead ?? bodyOf(body)),
  });
  // A client that leaves is one that leaves it too.
  reply.raw.once('close', () => response.destroy());
  return reply
    .code(response.statusCode ?? 502)
    .headers({ ...endToEnd(response.headers), connection: 'close' })
    .send(response);
}

const bodyOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));
