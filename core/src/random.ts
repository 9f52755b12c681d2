import { closeSync, openSync, readSync } from 'node:fs';

/** Random bytes of the kernel, in hexadecimal. node:crypto would take 2 ms of a start to load. */
export function randomHex(bytes: number): string {
  const random = Buffer.alloc(bytes);
  const fd = openSync('/dev/urandom', 'r');
  try {
    if (readSync(fd, random) !== bytes) throw new Error('/dev/urandom ends early');
  } finally {
    closeSync(fd);
  }
  return random.toString('hex');
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
