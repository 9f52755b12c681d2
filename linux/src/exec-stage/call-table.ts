import { errnoNumber } from '../errno.js';
import type { SystemCallName } from '../system-call-numbers.js';
import { FLAG } from './record.js';

/** The result of an earlier record, as an argument of a later one: a descriptor, a pid. */
export interface ResultReference {
  readonly kind: 'result';
  readonly record: number;
}

/** A pointer to the place of a result, for calls that take one (`write` of a pid). */
export interface ResultAddress {
  readonly kind: 'result-address';
  readonly record: number;
}

/**
 * A pointer to the operand of the record that a label stands for: the kernel itself stores there, before the record
 * runs, what a comparison shall find (CLONE_PARENT_SETTID of clone(2)).
 */
export interface OperandAddress {
  readonly kind: 'operand-address';
  readonly label: Label;
}

/** A pointer to bytes in the image. */
export interface DataPointer {
  readonly kind: 'data';
  readonly data: number;
}

/** The value at a place in the data, read when the record runs. */
export interface DataValue {
  readonly kind: 'data-value';
  readonly data: number;
  readonly offset: number;
}

/** A pointer to a NULL-terminated array of strings. */
export interface StringVector {
  readonly kind: 'vector';
  readonly strings: readonly string[];
}

/** A value that each launch fills in: a number, or a string or vector that the argument points to. */
export interface Slot {
  readonly kind: 'slot';
  readonly name: string;
}

/** A pointer to what `Program.fillSlots` returns, in a program that gets it while it runs. */
export interface SlotsAddress {
  readonly kind: 'slots';
}

export type Argument =
  | number
  | bigint
  | ResultReference
  | ResultAddress
  | OperandAddress
  | DataPointer
  | DataValue
  | StringVector
  | Slot
  | SlotsAddress;

export type Address = ResultAddress | OperandAddress | DataPointer;

/** A place in the table to jump to; `place` puts it before the next record. */
export class Label {
  record: number | undefined;
  constructor(readonly name: string) {}
}

export interface CallOptions {
  /** Any result is fine. Default: a negative one fails. */
  readonly ignoreFailure?: boolean;
  /** Errnos that don't fail but jump to `orElse` (default: the next record). At most two. */
  readonly tolerate?: readonly string[];
  readonly orElse?: Label;
  /** EAGAIN means: make the call again, as openat2(2) asks where the tree has changed meanwhile. */
  readonly tryAgain?: boolean;
  /** Fail unless the result is this. */
  readonly expect?: number | Slot;
  /** Jump there if the result is not 0: the parent after clone. */
  readonly jumpIfNotZero?: Label;
}

export interface TableRecord {
  readonly step: string;
  readonly call: SystemCallName | 'compute';
  readonly arguments: readonly Argument[];
  readonly flags: number;
  readonly operand: Argument | undefined;
  readonly jump: Label | undefined;
  readonly tolerated: readonly number[];
}

const noNul = (text: string): string => {
  if (text.includes('\0'))
    throw new Error(`a string of the table holds a NUL character: ${JSON.stringify(text)}`);
  return text;
};

/**
 * A launch as a table of system calls: what a helper's C code would do, as data.
 *
 *     table.step('mount-proc');
 *     const fd = table.call('fsopen', [table.string('proc'), 1]);
 *     table.call('fsconfig', [fd, FSCONFIG.CMD_CREATE, 0, 0, 0]);
 */
export class CallTable {
  readonly records: TableRecord[] = [];
  readonly data: Buffer[] = [];
  readonly addresses: { readonly data: number; readonly at: number; readonly address: Address }[] = [];
  readonly #strings = new Map<string, DataPointer>();
  #step = '';

  /** The following records belong to this step: an error names it. */
  step(name: string): void {
    this.#step = name;
  }

  /** Adds a system call; the returned reference stands for its result. */
  call(name: SystemCallName, args: readonly Argument[], options: CallOptions = {}): ResultReference {
    const { tolerate = [], orElse, expect, jumpIfNotZero, ignoreFailure, tryAgain } = options;
    if (tolerate.length > 2) throw new Error(`${name}: a record tolerates two errnos at most`);
    if (orElse && jumpIfNotZero) throw new Error(`${name}: a record jumps to one place`);
    const next = tolerate.length > 0 && !orElse && !jumpIfNotZero ? new Label('next') : undefined;
    const flags =
      (ignoreFailure ? 0 : FLAG.failIfNegative) |
      (expect === undefined ? 0 : FLAG.failUnlessEqual) |
      (tryAgain ? FLAG.tryAgain : 0) |
      (jumpIfNotZero ? FLAG.jumpIfNotZero : 0);
    const reference = this.#add({
      step: this.#step,
      call: name,
      arguments: args,
      flags,
      operand: expect,
      jump: orElse ?? jumpIfNotZero ?? next,
      tolerated: tolerate.map(errnoNumber),
    });
    if (next) this.place(next);
    return reference;
  }

  /** `((value & mask) >> shift) + add`, without a call. */
  compute(
    value: Argument,
    { mask = -1, shift = 0, add = 0 }: { mask?: number; shift?: number; add?: number },
  ): ResultReference {
    return this.#plain([value, mask, shift, add], 0, undefined, undefined);
  }

  /** Fails unless `(value & mask) >> shift` is the operand. */
  requireEqual(
    value: Argument,
    operand: Argument,
    { mask = -1, shift = 0 }: { mask?: number; shift?: number } = {},
  ): void {
    this.#plain([value, mask, shift, 0], FLAG.failUnlessEqual, operand, undefined);
  }

  /** Jumps if the value is equal to the operand. */
  jumpIfEqual(value: Argument, operand: Argument, label: Label): void {
    this.#plain([value, -1, 0, 0], FLAG.jumpIfEqual, operand, label);
  }

  jumpIfNotZero(value: Argument, label: Label): void {
    this.#plain([value, -1, 0, 0], FLAG.jumpIfNotZero, undefined, label);
  }

  jump(label: Label): void {
    this.#plain([0, 0, 0, 1], FLAG.jumpIfNotZero, undefined, label);
  }

  /** The label stands for the next record. */
  place(label: Label): void {
    label.record = this.records.length;
  }

  /** A string with its NUL; equal ones are stored once. */
  string(text: string): DataPointer {
    const known = this.#strings.get(text);
    if (known) return known;
    const pointer = this.bytes(Buffer.from(`${noNul(text)}\0`));
    this.#strings.set(text, pointer);
    return pointer;
  }

  bytes(content: Buffer): DataPointer {
    this.data.push(content);
    return { kind: 'data', data: this.data.length - 1 };
  }

  /** A structure of the kernel that holds addresses: each is written at its offset when the table is assembled. */
  structure(content: Buffer, addresses: Readonly<Record<number, Address>>): DataPointer {
    const pointer = this.bytes(content);
    for (const [at, address] of Object.entries(addresses))
      this.addresses.push({ data: pointer.data, at: Number(at), address });
    return pointer;
  }

  /** Zeroed bytes that calls may write to. */
  memory(size: number): DataPointer {
    return this.bytes(Buffer.alloc(size));
  }

  /** Eight of the bytes that a pointer leads to, as a number, read when the record runs. */
  valueAt(pointer: DataPointer, offset = 0): DataValue {
    return { kind: 'data-value', data: pointer.data, offset };
  }

  addressOf(result: ResultReference): ResultAddress {
    return { kind: 'result-address', record: result.record };
  }

  operandOf(label: Label): OperandAddress {
    return { kind: 'operand-address', label };
  }

  vector(strings: readonly string[]): StringVector {
    return { kind: 'vector', strings: strings.map(noNul) };
  }

  slot(name: string): Slot {
    return { kind: 'slot', name };
  }

  slots(): SlotsAddress {
    return { kind: 'slots' };
  }

  #plain(
    args: readonly Argument[],
    flags: number,
    operand: Argument | undefined,
    jump: Label | undefined,
  ): ResultReference {
    const record = {
      step: this.#step,
      call: 'compute',
      arguments: args,
      flags: flags | FLAG.compute,
      operand,
      jump,
      tolerated: [],
    } as const;
    return this.#add(record);
  }

  #add(record: TableRecord): ResultReference {
    this.records.push(record);
    return { kind: 'result', record: this.records.length - 1 };
  }
}
