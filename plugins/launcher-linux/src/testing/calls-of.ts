import { errnoName } from '@caisson/linux';
import type { Argument, Label, TableRecord } from '@caisson/linux/exec-stage';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

/** What a record does besides calling: where it goes on, and when it fails. */
export interface Flow {
  /** The index of the record, in this list, that it goes on with instead of the next one. */
  readonly to?: number;
  /** On these errnos. */
  readonly on?: readonly string[];
  readonly mustBe?: unknown;
}

/** A call as an array: name, arguments, and a Flow where there is one. Results are `<name index>`, slots `$name`. */
export type Call = readonly unknown[];

/**
 * The records of one step, as data to compare: no kernel is asked.
 * @param before  what earlier steps leave in the table
 */
export function callsOf(
  step: LaunchStep,
  plan: LaunchPlanData,
  before: (table: LaunchTable) => void = () => {},
): Call[] {
  const table = new LaunchTable();
  before(table);
  const first = table.records.length;
  table.step(step.name);
  step.compile(plan, table);
  return table.records.slice(first).map((record) => callOf(record, table, first));
}

function callOf(record: TableRecord, table: LaunchTable, first: number): Call {
  const call = [record.call, ...record.arguments.map((argument) => shown(argument, table, first))];
  const flow = flowOf(record, table, first);
  return Object.keys(flow).length > 0 ? [...call, flow] : call;
}

function flowOf({ jump, tolerated, operand }: TableRecord, table: LaunchTable, first: number): Flow {
  const to = placeOf(jump, first);
  return {
    ...(to !== undefined && { to }),
    ...(tolerated.length > 0 && { on: tolerated.map(errnoName) }),
    ...(operand !== undefined && { mustBe: shown(operand, table, first) }),
  };
}

const placeOf = (label: Label | undefined, first: number): number | undefined =>
  label?.record === undefined ? undefined : label.record - first;

function shown(argument: Argument, table: LaunchTable, first: number): unknown {
  if (typeof argument === 'number') return argument;
  if (typeof argument === 'bigint') return Number(argument);
  switch (argument.kind) {
    case 'result':
      return resultName(argument.record, table, first);
    case 'result-address':
      return `&${resultName(argument.record, table, first)}`;
    case 'operand-address':
      return '&operand';
    case 'data':
      return contentOf(table.data[argument.data] as Buffer);
    case 'data-value':
      return argument.offset === 0 ? '*data' : `*data+${argument.offset}`;
    case 'vector':
      return argument.strings;
    case 'slot':
      return `$${argument.name}`;
  }
}

/** Of the step's own records by their place in it; of earlier ones by what they are. */
function resultName(record: number, table: LaunchTable, first: number): string {
  const name = table.records[record]?.call;
  return record < first ? `<earlier ${name}>` : `<${name} ${record - first}>`;
}

/** A string, or bytes in hexadecimal; zeroed memory by its size. */
function contentOf(bytes: Buffer): string {
  if (bytes.length > 1 && bytes.every((byte) => byte === 0)) return `memory of ${bytes.length}`;
  const text = bytes.toString('latin1', 0, bytes.length - 1);
  return bytes.at(-1) === 0 && /^[\x20-\x7e]*$/.test(text) ? text : bytes.toString('hex');
}
