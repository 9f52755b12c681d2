import { type Architecture, architecture, systemCallNumber } from '../system-call-numbers.js';
import type {
  Argument,
  CallTable,
  Label,
  Slot,
  SlotsAddress,
  StringVector,
  TableRecord,
} from './call-table.js';
import { elfHeader, HEADER_BYTES, LOAD_ADDRESS } from './elf.js';
import { aligned, ImageWriter } from './image-writer.js';
import { FIELD, FLAG, RECORD_BYTES } from './record.js';
import { RUNNERS } from './runner/bytes.js';

/** What fills a slot. */
export type SlotValue = number | string | readonly string[] | Buffer;
export type SlotValues = Readonly<Record<string, SlotValue>>;

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

/** What the records hold that is known only when all of them are written. */
interface References {
  readonly slots: { readonly name: string; readonly at: number }[];
  readonly operands: { readonly name: string; readonly at: number }[];
  readonly blocks: number[];
  readonly vectors: { readonly at: number; readonly vector: readonly string[] }[];
}

/**
 * An assembled table: an image whose slots each launch fills in. Assembling is done once per kind of launch, filling
 * for each one: a copy, and the values of the launch behind it.
 *
 * Layout  ELF header | runner | table | data | a cell of 8 bytes for each slot | what the cells point to
 */
export class Program {
  /** All but the slots. */
  readonly template: Buffer;
  readonly #slots: readonly string[];
  readonly #operands: References['operands'];
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
    let end = this.#tableAt + table.records.length * RECORD_BYTES;
    this.#dataAt = table.data.map((bytes) => {
      const at = end;
      end = aligned(end + bytes.length);
      return at;
    });
    const image = Buffer.alloc(end);
    if (behind === undefined) runner.copy(image, HEADER_BYTES);
    table.data.forEach((bytes, index) => bytes.copy(image, this.#dataAt[index]));
    const words = new DataView(image.buffer, image.byteOffset, image.length);
    const references: References = { slots: [], operands: [], blocks: [], vectors: [] };
    table.records.forEach((record, index) => this.#writeRecord(words, record, index, references));
    for (const { data, at, address } of table.addresses)
      writeWord(words, (this.#dataAt[data] as number) + at, this.#valueOf(address));
    this.template = this.#appendVectors(image, references.vectors);
    this.#operands = references.operands;
    this.#slots = [...new Set(references.slots.map(({ name }) => name))];
    this.#placeSlots(references);
  }

  /** The image of one launch, valid until the next call of `fill` of any program. Throws on a slot without a value. */
  fill(values: SlotValues = {}): Buffer {
    const image = new ImageWriter(this.template, this.#base);
    this.#fillCells(image, values);
    for (const { name, at } of this.#operands) image.patch(at, BigInt(requiredValue(name, values) as number));
    const whole = image.whole();
    if (this.#behind === undefined)
      elfHeader(this.#architecture, whole.length, Math.max(whole.length, this.#memory)).copy(whole);
    return whole;
  }

  /** What `fill` puts behind the template, for a process that has the template already; valid as long as that of `fill`. */
  fillSlots(values: SlotValues): Buffer {
    if (this.#operands.length > 0) throw new Error('an operand is no cell that can be filled in later');
    const block = new ImageWriter(Buffer.alloc(0), this.#base + this.template.length);
    this.#fillCells(block, values);
    return block.whole();
  }

  #fillCells(writer: ImageWriter, values: SlotValues): void {
    const cells = writer.reserve(this.#slots.length * 8);
    this.#slots.forEach((name, index) => {
      const value = requiredValue(name, values);
      writer.patch(cells + index * 8, typeof value === 'number' ? BigInt(value) : writer.place(value));
    });
  }

  #placeSlots({ slots, blocks }: References): void {
    const cells = this.#offsetOf(0) + this.template.length - this.#tableAt;
    for (const { name, at } of slots)
      this.template.writeBigInt64LE(BigInt(cells + this.#slots.indexOf(name) * 8), at);
    for (const at of blocks) this.template.writeBigInt64LE(BigInt(this.#base + this.template.length), at);
  }

  #writeRecord(words: DataView, record: TableRecord, index: number, references: References): void {
    const at = this.#tableAt + index * RECORD_BYTES;
    let mask = 0;
    const place = (argument: Argument, where: number, bit: number): void => {
      if (typeof argument === 'number' || typeof argument === 'bigint') writeWord(words, where, argument);
      else if (argument.kind === 'vector') references.vectors.push({ at: where, vector: argument.strings });
      else if (argument.kind === 'slots') references.blocks.push(where);
      else if (argument.kind === 'slot') {
        references.slots.push({ name: argument.name, at: where });
        mask |= bit;
      } else {
        writeWord(words, where, this.#valueOf(argument));
        if (argument.kind === 'result' || argument.kind === 'data-value') mask |= bit;
      }
    };
    const number = record.call === 'compute' ? 0 : systemCallNumber(record.call, this.#architecture);
    writeWord(words, at + FIELD.number, number);
    record.arguments.forEach((argument, i) => place(argument, at + FIELD.arguments + i * 8, 1 << i));
    const { operand } = record;
    // The runner takes an operand as it is.
    if (typeof operand === 'object' && operand.kind === 'slot')
      references.operands.push({ name: operand.name, at: at + FIELD.operand });
    else if (operand !== undefined) place(operand, at + FIELD.operand, 0);
    words.setUint32(at + FIELD.mask, mask, true);
    words.setUint16(at + FIELD.flags, record.flags, true);
    words.setUint16(at + FIELD.index, index, true);
    record.tolerated.forEach((errno, i) => words.setUint32(at + FIELD.tolerated + i * 4, errno, true));
    writeWord(words, at + FIELD.jump, this.#jumpOffset(record));
  }

  #valueOf(argument: Exclude<Argument, number | bigint | Slot | SlotsAddress | StringVector>): number {
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

  #appendVectors(image: Buffer, vectors: References['vectors']): Buffer {
    const writer = new ImageWriter(image, this.#base);
    for (const { at, vector } of vectors) writer.patch(at, writer.place(vector));
    return Buffer.from(writer.whole());
  }
}

function requiredValue(name: string, values: SlotValues): SlotValue {
  const value = values[name];
  if (value === undefined) throw new Error(`the slot ${name} of the table has no value`);
  return value;
}

/** By a DataView, which V8 has compiled: Buffer's functions would take 3 ms of a program's first launch. */
function writeWord(words: DataView, at: number, value: number | bigint): void {
  words.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), true);
}

function placed({ name, record }: Label): number {
  if (record === undefined) throw new Error(`the label ${name} was never placed`);
  return record;
}
