import { type Architecture, architecture, systemCallNumber } from '../system-call-numbers.js';
import type { Argument, CallTable, Label, TableRecord } from './call-table.js';
import { elfHeader, HEADER_BYTES, LOAD_ADDRESS } from './elf.js';
import { aligned, ImageWriter } from './image-writer.js';
import { FIELD, FLAG, RECORD_BYTES } from './record.js';
import { RUNNERS } from './runner/bytes.js';

/** What fills a slot. */
export type SlotValue = number | string | readonly string[] | Buffer;
export type SlotValues = Readonly<Record<string, SlotValue>>;

/** A place in the image that a launch fills in. */
interface Patch {
  readonly slot: string;
  /** Offset, in the image, of the eight bytes. */
  readonly at: number;
}

/** Where a program lies, and what comes before its table. */
export interface ProgramOptions {
  readonly architecture?: Architecture | undefined;
  /**
   * The program is put into a running image later, so many records behind the beginning of its table: it is a table and
   * its data alone, without header and runner.
   */
  readonly behind?: number | undefined;
  /** Bytes of zeroed memory of the image, from its beginning. Default: what it needs. */
  readonly memory?: number | undefined;
}

/** Where a program that is put `behind` so many records of a running image begins in its memory. */
export const addressBehind = (behind: number, arch: Architecture = architecture()): number =>
  LOAD_ADDRESS + HEADER_BYTES + RUNNERS[arch].length + behind * RECORD_BYTES;

/**
 * An assembled table: an image whose slots each launch fills in. Assembling is done once per kind of launch, filling
 * for each one: a copy, and the strings of the launch behind it.
 *
 * Layout  ELF header | runner | table | data | what the slots point to
 */
export class Program {
  readonly #template: Buffer;
  readonly #patches: readonly Patch[];
  readonly #tableAt: number;
  readonly #dataAt: readonly number[];
  readonly #architecture: Architecture;
  readonly #behind: number | undefined;
  readonly #memory: number;
  /** Address of what lies at offset 0 of what `fill` returns. */
  readonly #base: number;

  constructor(
    readonly table: CallTable,
    { architecture: wanted = architecture(), behind, memory = 0 }: ProgramOptions = {},
  ) {
    this.#architecture = wanted;
    this.#behind = behind;
    this.#memory = memory;
    const runner = RUNNERS[wanted];
    const beforeTable = HEADER_BYTES + runner.length;
    this.#tableAt = behind === undefined ? beforeTable : 0;
    this.#base = LOAD_ADDRESS + (behind === undefined ? 0 : beforeTable + behind * RECORD_BYTES);
    const patches: Patch[] = [];
    let end = this.#tableAt + table.records.length * RECORD_BYTES;
    this.#dataAt = table.data.map((bytes) => {
      const at = end;
      end = aligned(end + bytes.length);
      return at;
    });
    const vectors: { at: number; vector: readonly string[] }[] = [];
    const image = Buffer.alloc(end);
    if (behind === undefined) runner.copy(image, HEADER_BYTES);
    table.data.forEach((bytes, index) => bytes.copy(image, this.#dataAt[index]));
    const words = new DataView(image.buffer, image.byteOffset, image.length);
    table.records.forEach((record, index) => this.#writeRecord(words, record, index, patches, vectors));
    for (const { data, at, address } of table.addresses)
      writeWord(words, (this.#dataAt[data] as number) + at, this.#valueOf(address));
    this.#template = this.#appendVectors(image, vectors);
    this.#patches = patches;
  }

  /** The image of one launch, valid until the next call of `fill` of any program. Throws on a slot without a value. */
  fill(values: SlotValues = {}): Buffer {
    const image = new ImageWriter(this.#template, this.#base);
    const placed = new Map<string, bigint>();
    for (const { slot, at } of this.#patches) {
      const value = values[slot];
      if (value === undefined) throw new Error(`the slot ${slot} of the table has no value`);
      let content = typeof value === 'number' ? BigInt(value) : placed.get(slot);
      if (content === undefined) {
        content = BigInt(this.#base + image.append(value as Exclude<SlotValue, number>));
        placed.set(slot, content);
      }
      image.patch(at, content);
    }
    const whole = image.whole();
    if (this.#behind === undefined)
      elfHeader(this.#architecture, whole.length, Math.max(whole.length, this.#memory)).copy(whole);
    return whole;
  }

  #writeRecord(
    words: DataView,
    record: TableRecord,
    index: number,
    patches: Patch[],
    vectors: { at: number; vector: readonly string[] }[],
  ): void {
    const at = this.#tableAt + index * RECORD_BYTES;
    let mask = 0;
    const place = (argument: Argument, where: number, bit: number): void => {
      if (typeof argument === 'number' || typeof argument === 'bigint') writeWord(words, where, argument);
      else if (argument.kind === 'slot') patches.push({ slot: argument.name, at: where });
      else if (argument.kind === 'vector') vectors.push({ at: where, vector: argument.strings });
      else {
        writeWord(words, where, this.#valueOf(argument));
        if (argument.kind === 'result' || argument.kind === 'data-value') mask |= bit;
      }
    };
    const number = record.call === 'compute' ? 0 : systemCallNumber(record.call, this.#architecture);
    writeWord(words, at + FIELD.number, number);
    record.arguments.forEach((argument, i) => place(argument, at + FIELD.arguments + i * 8, 1 << i));
    if (record.operand !== undefined) place(record.operand, at + FIELD.operand, 0);
    words.setUint32(at + FIELD.mask, mask, true);
    words.setUint16(at + FIELD.flags, record.flags, true);
    words.setUint16(at + FIELD.index, index, true);
    record.tolerated.forEach((errno, i) => words.setUint32(at + FIELD.tolerated + i * 4, errno, true));
    writeWord(words, at + FIELD.jump, this.#jumpOffset(record));
  }

  #valueOf(argument: Exclude<Argument, number | bigint | { kind: 'slot' } | { kind: 'vector' }>): number {
    switch (argument.kind) {
      case 'result':
        return this.#offsetOf(argument.record) + FIELD.result;
      case 'result-address':
        return this.#base + this.#tableAt + argument.record * RECORD_BYTES + FIELD.result;
      case 'operand-address':
        return this.#base + this.#tableAt + placed(argument.label) * RECORD_BYTES + FIELD.operand;
      case 'data':
        return this.#base + (this.#dataAt[argument.data] as number);
      case 'data-value':
        return this.#offsetOf(0) + (this.#dataAt[argument.data] as number) - this.#tableAt + argument.offset;
    }
  }

  /** Of a record, from the beginning of the image's first table, as the runner counts. */
  #offsetOf(record: number): number {
    return ((this.#behind ?? 0) + record) * RECORD_BYTES;
  }

  #jumpOffset({ flags, jump, tolerated, step, call }: TableRecord): number {
    if (!jump) return 0;
    if ((flags & (FLAG.jumpIfEqual | FLAG.jumpIfNotZero)) === 0 && tolerated.length === 0)
      throw new Error(`${step}: ${call} never jumps to ${jump.name}`);
    return this.#offsetOf(placed(jump));
  }

  #appendVectors(image: Buffer, vectors: readonly { at: number; vector: readonly string[] }[]): Buffer {
    const writer = new ImageWriter(image, this.#base);
    for (const { at, vector } of vectors) writer.patch(at, BigInt(this.#base + writer.append(vector)));
    return Buffer.from(writer.whole());
  }
}

/** By a DataView, which V8 has compiled: Buffer's functions would take 3 ms of a program's first launch. */
function writeWord(words: DataView, at: number, value: number | bigint): void {
  words.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), true);
}

function placed({ name, record }: Label): number {
  if (record === undefined) throw new Error(`the label ${name} was never placed`);
  return record;
}
