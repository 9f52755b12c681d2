import { closeSync, openSync, readSync } from 'node:fs';

const STOCK_BYTES = 4096;
const stock = Buffer.alloc(STOCK_BYTES);
let used = STOCK_BYTES;

/** Random bytes of the kernel, in hexadecimal. node:crypto would take 2 ms of a start to load. */
export function randomHex(bytes: number): string {
  if (bytes > STOCK_BYTES) throw new RangeError(`at most ${STOCK_BYTES} random bytes at once`);
  if (used + bytes > STOCK_BYTES) refill();
  used += bytes;
  return stock.toString('hex', used - bytes, used);
}

/** Many launches' worth at once: asking the kernel takes longer than the rest of an id. */
function refill(): void {
  const fd = openSync('/dev/urandom', 'r');
  try {
    if (readSync(fd, stock) !== STOCK_BYTES) throw new Error('/dev/urandom ends early');
  } finally {
    closeSync(fd);
  }
  used = 0;
}

/** A UUID, version 4 (RFC 9562). */
export function randomUuid(): string {
  const hex = randomHex(16);
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) & 3];
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-');
}
