/** RecordIO, read: the length of a record in bytes, a newline, the record. Chunks may end anywhere. */

type Message = Readonly<Record<string, unknown>>;

const LONGEST_LENGTH = 20;

export async function* records(chunks: AsyncIterable<Buffer>): AsyncGenerator<Message> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = endOfRecord(rest); end !== undefined; end = endOfRecord(rest)) {
      yield JSON.parse(rest.subarray(rest.indexOf('\n') + 1, end).toString('utf8')) as Message;
      rest = rest.subarray(end);
    }
  }
}

/** Undefined until the record is whole. */
function endOfRecord(data: Buffer): number | undefined {
  const newline = data.indexOf('\n');
  if (newline < 0 && data.length <= LONGEST_LENGTH) return undefined;
  const length = data.subarray(0, Math.max(newline, 0)).toString('latin1');
  if (!/^\d{1,20}$/.test(length)) throw new Error('a record without its length');
  const end = newline + 1 + Number(length);
  return end <= data.length ? end : undefined;
}
