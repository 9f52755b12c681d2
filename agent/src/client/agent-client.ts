/** The operator API from the other side: calls, and streams of records. Errors are those that the agent sends. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { CaissonError, messageOf } from '@caisson/plugin-sdk';
import { frame } from '../record-io.js';
import type { Address } from './address.js';
import { clientErrors } from './errors.js';
import { records } from './records.js';
import { Upload } from './upload.js';

type Body = Readonly<Record<string, unknown>>;

const JSON_TYPE = 'application/json';
const RECORDIO = 'application/recordio';

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

  /** Its address, for people. */
  get shown(): string {
    return this.address.shown;
  }

  /** The member of the answer that bears the call's name; undefined for an empty one. */
  async call<Result = undefined>(type: string, input: object = {}): Promise<Result> {
    const response = await this.#send(type, input, JSON_TYPE);
    const text = await this.#textOf(response);
    const status = response.statusCode ?? 0;
    if (status !== 200) throw this.#errorOf(status, text);
    if (text === '') return undefined as Result;
    return this.#parse(text)[type.toLowerCase()] as Result;
  }

  /** The records of a call that streams, until it ends or the caller stops reading. */
  async *stream(type: string, input: object = {}): AsyncGenerator<Body> {
    yield* await this.open(type, input);
  }

  /** The same; resolves once the call is answered. Who does not read it must `return` it. */
  async open(type: string, input: object): Promise<AsyncGenerator<Body>> {
    const response = await this.#send(type, input, RECORDIO);
    const status = response.statusCode ?? 0;
    if (status !== 200) throw this.#errorOf(status, await this.#textOf(response));
    return this.#unbroken(records(response));
  }

  /** A call whose input is a stream: `first`, then what is sent. */
  upload(type: string, first: object): Upload {
    const { request, answered } = this.#request({
      Accept: JSON_TYPE,
      'Content-Type': RECORDIO,
      'Message-Content-Type': JSON_TYPE,
    });
    const send = (input: object) => request.write(frame({ type, [type.toLowerCase()]: input }));
    send(first);
    return new Upload(
      request,
      send,
      answered.then((response) => this.#checkEmpty(response)),
    );
  }

  #send(type: string, input: object, accept: string): Promise<IncomingMessage> {
    const body = JSON.stringify({ type, [type.toLowerCase()]: input });
    const { request, answered } = this.#request({
      Accept: accept,
      'Content-Type': JSON_TYPE,
      'Content-Length': String(Buffer.byteLength(body)),
    });
    request.end(body);
    return answered;
  }

  #request(headers: Readonly<Record<string, string>>): {
    request: ClientRequest;
    answered: Promise<IncomingMessage>;
  } {
    const { where, shown } = this.address;
    const create = 'protocol' in where && where.protocol === 'https:' ? httpsRequest : httpRequest;
    const options = { ...where, method: 'POST', path: '/api/v1', agent: false } as const;
    const request = create({ ...options, headers: { ...this.#headers, ...headers } });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', (error) => reject(clientErrors.AGENT_UNREACHABLE(shown, messageOf(error))));
    });
    return { request, answered };
  }

  async *#unbroken(stream: AsyncGenerator<Body>): AsyncGenerator<Body> {
    try {
      yield* stream;
    } catch (error) {
      throw clientErrors.STREAM_BROKEN(this.address.shown, messageOf(error));
    }
  }

  async #checkEmpty(response: IncomingMessage): Promise<void> {
    const text = await this.#textOf(response);
    const status = response.statusCode ?? 0;
    if (status !== 200) throw this.#errorOf(status, text);
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
