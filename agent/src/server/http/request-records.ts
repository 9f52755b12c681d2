import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { readRecords } from '../../record-io.js';
import { apiErrors } from '../errors.js';
import type { Limits } from '../settings/settings.js';
import { limitRequest, unlimitRequest } from './request-time.js';

/** What a client may go on sending when it has its answer; then its connection is closed. */
const FAREWELL_MS = 5_000;

/** A request that is a stream of records. Its first one has to come in time; those that follow may take as long as they like. */
export class RequestRecords {
  readonly #records: AsyncGenerator<Buffer>;

  constructor(
    private readonly request: FastifyRequest,
    { bodyBytes }: Limits,
  ) {
    this.#records = readRecords(chunksOf(request.raw), { longest: bodyBytes });
  }

  /** @throws REQUEST_MALFORMED, RECORD_MALFORMED, RECORD_TOO_LARGE, RECORD_TRUNCATED */
  async first(): Promise<Buffer> {
    const { value, done } = await this.#records.next();
    if (done) throw apiErrors.REQUEST_MALFORMED('a record is expected');
    unlimitRequest(this.request.raw);
    return value;
  }

  rest(): AsyncGenerator<Buffer> {
    return this.#records;
  }

  /** Whatever still comes is thrown away: a connection that is closed too early would lose the answer. */
  leave(): void {
    const { raw } = this.request;
    if (raw.readableEnded || raw.destroyed) return;
    limitRequest(raw, FAREWELL_MS, () => raw.socket.destroy());
    raw.resume();
  }
}

/** Who stops reading does not end the connection, which is for the answer too. */
async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
  try {
    yield* body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch {
    throw apiErrors.REQUEST_MALFORMED('its connection broke off');
  }
}
