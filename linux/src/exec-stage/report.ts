import { adviceFor } from '../advice.js';
import { errnoName, errnoText } from '../errno.js';
import { ARGUMENT_NAMES } from './arguments.js';
import type { Argument, CallTable, TableRecord } from './call-table.js';
import type { SlotValues } from './program.js';
import { FIELD, FLAG, RECORD_BYTES } from './record.js';

/** The record that ended a launch. */
export interface Failure {
  readonly step: string;
  readonly call: string;
  /** The call with its arguments by name. */
  readonly description: string;
  /** Such as `ENOENT`; absent if the result was not an errno but not the expected one either. */
  readonly errno: string | undefined;
  readonly result: number;
  readonly advice: string | undefined;
}

/** Reads the bytes that the runner wrote on its report descriptor; throws on anything else. */
export function decodeReport(table: CallTable, bytes: Buffer, values: SlotValues = {}): Failure {
  if (bytes.length !== RECORD_BYTES)
    throw new Error(`a report has ${RECORD_BYTES} bytes, not ${bytes.length}`);
  const record = table.records[bytes.readUInt16LE(FIELD.index)];
  if (!record)
    throw new Error(
      `the report names record ${bytes.readUInt16LE(FIELD.index)}, which the table does not have`,
    );
  const result = Number(bytes.readBigInt64LE(FIELD.result));
  const errno = result < 0 && result > -4096 ? errnoName(-result) : undefined;
  return {
    step: record.step,
    call: record.call,
    description: describeRecord(table, record, values),
    errno,
    result,
    advice: errno && adviceFor(record.call, errno),
  };
}

/** `step mount-proc: fsopen(filesystem="proc", flags=1): ENODEV (No such device)`. */
export function failureMessage({ step, description, errno, result }: Failure): string {
  return `step ${step}: ${description}: ${errno ? `${errno} (${errnoText(errno)})` : `unexpected result ${result}`}`;
}

/** The whole table, one call a line, for people. */
export function describeTable(table: CallTable, values: SlotValues = {}): string {
  let step = '';
  const lines: string[] = [];
  table.records.forEach((record, index) => {
    if (record.step !== step) lines.push(`${record.step}:`);
    step = record.step;
    lines.push(
      `  ${String(index).padStart(3)} ${describeRecord(table, record, values)}${describeFlow(record)}`,
    );
  });
  return lines.join('\n');
}

function describeRecord(table: CallTable, record: TableRecord, values: SlotValues): string {
  const shown = record.arguments.map((argument) => describeArgument(table, argument, values));
  if (record.call === 'compute') return `((${shown[0]} & ${shown[1]}) >> ${shown[2]}) + ${shown[3]}`;
  const names = ARGUMENT_NAMES[record.call] ?? [];
  return `${record.call}(${shown.map((value, i) => `${names[i] ?? i}=${value}`).join(', ')})`;
}

function describeArgument(table: CallTable, argument: Argument, values: SlotValues): string {
  if (typeof argument === 'number' || typeof argument === 'bigint') return describeNumber(argument);
  switch (argument.kind) {
    case 'result':
      return `<${table.records[argument.record]?.call} ${argument.record}>`;
    case 'result-address':
      return `&<${table.records[argument.record]?.call} ${argument.record}>`;
    case 'operand-address':
      return `&operand of ${argument.label.record}`;
    case 'data':
      return describeBytes(table.data[argument.data] as Buffer);
    case 'data-value':
      return `*data ${argument.data}${argument.offset ? `+${argument.offset}` : ''}`;
    case 'vector':
      return JSON.stringify(argument.strings);
    case 'slots':
      return '&slots';
    case 'slot':
      return describeSlot(argument.name, values[argument.name]);
  }
}

// The environment may hold secrets: names only (threat model A5).
function describeSlot(name: string, value: SlotValues[string] | undefined): string {
  if (value === undefined) return `<${name}>`;
  if (name === 'environment' && Array.isArray(value))
    return `[${value.map((v: string) => v.split('=', 1)[0]).join(', ')}]`;
  return Buffer.isBuffer(value) ? describeBytes(value) : JSON.stringify(value);
}

const describeNumber = (value: number | bigint): string => {
  const number = BigInt.asIntN(64, BigInt(value));
  return number > 4096n ? `0x${number.toString(16)}` : String(number);
};

function describeBytes(bytes: Buffer): string {
  const end = bytes.length - 1;
  const printable =
    end >= 0 && bytes[end] === 0 && bytes.subarray(0, end).every((byte) => byte >= 0x20 && byte < 0x7f);
  if (printable) return JSON.stringify(bytes.toString('latin1', 0, end));
  return bytes.length <= 32 ? `{${bytes.toString('hex')}}` : `{${bytes.length} bytes}`;
}

function describeFlow({ flags, jump, tolerated, operand }: TableRecord): string {
  const notes: string[] = [];
  if (tolerated.length > 0) notes.push(`tolerates ${tolerated.map(errnoName).join(', ')} -> ${jump?.record}`);
  if (flags & FLAG.tryAgain) notes.push('again on EAGAIN');
  if (flags & FLAG.failUnlessEqual)
    notes.push(
      `must be ${typeof operand === 'object' && operand.kind === 'slot' ? `<${operand.name}>` : operand}`,
    );
  if (flags & FLAG.jumpIfNotZero) notes.push(`if not 0 -> ${jump?.record}`);
  if (flags & FLAG.jumpIfEqual)
    notes.push(`if ${typeof operand === 'object' ? 'equal' : operand} -> ${jump?.record}`);
  return notes.length > 0 ? `    ; ${notes.join('; ')}` : '';
}
