/** The operator API from the other side: calls, and streams of records. Errors are those that the agent sends. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { CaissonError, messageOf } from '@caisson/plugin-sdk';
import type { Address } from './address.js';
import { clientErrors } from './errors.js';
import { records } from './records.js';

type Body = Readonly<Record<string, unknown>>;

/** An answer larger than this is none of ours. */
const LONGEST = 256 * 1024 * 1024;

export class AgentClient {
  readonly #headers: Readonly<Record<string, string>>;

  /** @param token  a bearer token; the Unix socket needs none */
  constructor(
    private readonly address: Address,
    token: string | undefined = process.env.CAISSON_TOKEN,
  ) {
    this.#headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  }

  /** The member of the answer that bears the call's name; undefined for an empty one. */
  async call<Result = undefined>(type: string, input: object = {}): Promise<Result> {
    const response = await this.#send(type, input, 'application/json');
    const text = await this.#textOf(response);
    const status = response.statusCode ?? 0;
    if (status !== 200) throw this.#errorOf(status, text);
    if (text === '') return undefined as Result;
    return this.#parse(text)[type.toLowerCase()] as Result;
  }

  /** The records of a call that streams, until it ends or the caller stops reading. */
  async *stream(type: string, input: object = {}): AsyncGenerator<Body> {
    const response = await this.#send(type, input, 'application/recordio');
    const status = response.statusCode ?? 0;
    if (status !== 200) throw this.#errorOf(status, await this.#textOf(response));
    yield* records(response);
  }

  #send(type: string, input: object, accept: string): Promise<IncomingMessage> {
    const { where, shown } = this.address;
    const body = JSON.stringify({ type, [type.toLowerCase()]: input });
    const headers = {
      ...this.#headers,
      Accept: accept,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    };
    const request = 'protocol' in where && where.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const sent = request({ ...where, method: 'POST', path: '/api/v1', headers, agent: false }, resolve);
      sent.once('error', (error) => reject(clientErrors.AGENT_UNREACHABLE(shown, messageOf(error))));
      sent.end(body);
    });
  }

  async #textOf(response: IncomingMessage): Promise<string> {
    const parts: Buffer[] = [];
    let length = 0;
    try {
      for await (const part of response as AsyncIterable<Buffer>) {
        length += part.length;
        if (length > LONGEST) throw new Error('the answer does not end');
        parts.push(part);
      }
    } catch (error) {
      throw clientErrors.AGENT_UNREACHABLE(this.address.shown, `the answer broke off: ${messageOf(error)}`);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  #errorOf(status: number, text: string): CaissonError {
    const { error } = this.#parse(text) as { error?: Partial<CaissonError> };
    const { code, kind, message, hint, details } = error ?? {};
    if (typeof code !== 'string' || typeof message !== 'string' || kind === undefined)
      return clientErrors.AGENT_ANSWER_INVALID(this.address.shown, `status ${status}`);
    return new CaissonError({ code, kind, message, hint, details });
  }

  #parse(text: string): Body {
    try {
      return JSON.parse(text) as Body;
    } catch {
      throw clientErrors.AGENT_ANSWER_INVALID(this.address.shown, text.slice(0, 80));
    }
  }
}
