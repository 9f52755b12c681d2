import { readRecords } from '../record-io.js';

type Message = Readonly<Record<string, unknown>>;

/** The messages of a stream of the agent; one that it did not finish is none. */
export async function* records(chunks: AsyncIterable<Buffer>): AsyncGenerator<Message> {
  for await (const record of readRecords(chunks, { longest: Infinity, mayBreakOff: true }))
    yield JSON.parse(record.toString('utf8')) as Message;
}
