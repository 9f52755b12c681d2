/** The next multiple of 8. */
export const aligned = (size: number): number => (size + 7) & ~7;

// An image is written to its memfd at once: one buffer for all launches, which grows to the largest.
let scratch = Buffer.alloc(64 * 1024);

/** Copies a template and puts behind it what the slots of a launch point to. Offsets are in the image. */
export class ImageWriter {
  #end: number;

  /** @param base  address of offset 0 */
  constructor(
    template: Buffer,
    private readonly base: number,
  ) {
    this.#end = template.length;
    grow(template.length, 0);
    template.copy(scratch);
  }

  patch(at: number, value: bigint): void {
    scratch.writeBigInt64LE(value, at);
  }

  /** Appends a string, bytes, or a NULL-terminated vector of strings, and returns its address. */
  place(value: string | Buffer | readonly string[]): bigint {
    return BigInt(this.base + this.#append(value));
  }

  whole(): Buffer {
    return scratch.subarray(0, this.#end);
  }

  #append(value: string | Buffer | readonly string[]): number {
    if (typeof value === 'string') return this.#string(value);
    return Buffer.isBuffer(value) ? this.#bytes(value) : this.#vector(value as readonly string[]);
  }

  #string(text: string): number {
    if (text.includes('\0'))
      throw new Error(`a string for the table holds a NUL character: ${JSON.stringify(text)}`);
    const at = this.reserve(Buffer.byteLength(text) + 1);
    scratch.write(text, at);
    return at;
  }

  #bytes(content: Buffer): number {
    const at = this.reserve(content.length);
    content.copy(scratch, at);
    return at;
  }

  #vector(strings: readonly string[]): number {
    const at = this.reserve((strings.length + 1) * 8);
    strings.forEach((text, index) => this.patch(at + index * 8, this.place(text)));
    return at;
  }

  /** Zeroed room, aligned to 8: its offset. */
  reserve(size: number): number {
    const at = this.#end;
    this.#end = at + aligned(size);
    grow(this.#end, at);
    scratch.fill(0, at, this.#end);
    return at;
  }
}

function grow(size: number, keep: number): void {
  if (size <= scratch.length) return;
  const larger = Buffer.alloc(Math.max(size, scratch.length * 2));
  scratch.copy(larger, 0, 0, keep);
  scratch = larger;
}
