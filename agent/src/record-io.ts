/**
 * RecordIO: the length of a record in bytes, a newline, the record; again and again. Where chunks end says nothing.
 *
 * Throws  RECORD_MALFORMED, RECORD_TOO_LARGE, RECORD_TRUNCATED
 */
import { defineErrors } from '@caisson/plugin-sdk';

export const recordErrors = defineErrors({
  RECORD_MALFORMED: { kind: 'invalid', message: () => 'a record without its length' },
  RECORD_TOO_LARGE: {
    kind: 'invalid',
    message: (bytes: string, longest: number) => `a record of ${bytes} bytes: ${longest} are the most`,
  },
  RECORD_TRUNCATED: {
    kind: 'invalid',
    message: (missing: number) => `the last record breaks off: ${missing} bytes of it are missing`,
  },
});

export const frame = (record: unknown): Buffer => {
  const payload = Buffer.from(JSON.stringify(record));
  return Buffer.concat([Buffer.from(`${payload.length}\n`), payload]);
};

const NEWLINE = 0x0a;
/** Of 64 bits. */
const MOST_DIGITS = 20;

export interface ReadOptions {
  /** Bytes of a record. */
  readonly longest: number;
  /** A stream that was cut off in a record is one that ended before it. */
  readonly mayBreakOff?: boolean;
}

/** The records of a stream. No more of one is kept than has come, and what has come is copied once. */
export async function* readRecords(
  chunks: AsyncIterable<Buffer>,
  { longest, mayBreakOff = false }: ReadOptions,
): AsyncGenerator<Buffer> {
  const record = new PartialRecord(longest);
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; ) {
      at = record.take(chunk, at);
      if (record.isWhole) yield record.next();
    }
  if (record.hasBegun && !mayBreakOff) throw recordErrors.RECORD_TRUNCATED(record.missing);
}

class PartialRecord {
  #length = '';
  #missing: number | undefined;
  #parts: Buffer[] = [];

  constructor(private readonly longest: number) {}

  get hasBegun(): boolean {
    return this.#length !== '' || this.#missing !== undefined;
  }

  get isWhole(): boolean {
    return this.#missing === 0;
  }

  /** At least. */
  get missing(): number {
    return this.#missing ?? Number(this.#length);
  }

  /** Takes what belongs to this record of a chunk, from `at` on; returns where the rest begins. */
  take(chunk: Buffer, at: number): number {
    if (this.#missing === undefined) return this.#takeLength(chunk, at);
    const part = chunk.subarray(at, at + this.#missing);
    this.#parts.push(part);
    this.#missing -= part.length;
    return at + part.length;
  }

  next(): Buffer {
    const payload = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#missing = undefined;
    return payload;
  }

  #takeLength(chunk: Buffer, at: number): number {
    const newline = chunk.subarray(0, at + MOST_DIGITS + 1).indexOf(NEWLINE, at);
    const end = newline < 0 ? Math.min(chunk.length, at + MOST_DIGITS + 1) : newline;
    this.#length += chunk.toString('latin1', at, end);
    if (!/^\d{1,20}$/.test(this.#length)) throw recordErrors.RECORD_MALFORMED();
    if (newline < 0) return end;
    const bytes = Number(this.#length);
    if (bytes > this.longest) throw recordErrors.RECORD_TOO_LARGE(this.#length, this.longest);
    this.#length = '';
    this.#missing = bytes;
    return newline + 1;
  }
}
