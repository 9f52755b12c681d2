import { renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  ContainerConfigSchema,
  type LaunchPlanData,
  ResourcesSchema,
  type Termination,
  z,
} from '@caisson/plugin-sdk';
import { readState, writeState } from './state-file.js';

/** What is known of a container on disk. Made when the first is read: a start mostly finds none. */
function recordSchema() {
  const user = z.object({
    uid: z.number().int(),
    gid: z.number().int(),
    supplementaryGids: z.array(z.number().int()),
    name: z.string().optional(),
    home: z.string().optional(),
  });
  const json = z.record(z.string(), z.unknown());
  return z.object({
    version: z.literal(1),
    id: z.string(),
    bootId: z.string(),
    createdAt: z.number(),
    config: ContainerConfigSchema,
    resources: ResourcesSchema,
    limits: ResourcesSchema,
    user: user.optional(),
    sandbox: z.string(),
    launcher: z.string(),
    isolation: z.array(z.string()),
    /** From here on: once it was forked. */
    pid: z.number().int().optional(),
    launcherState: json.optional(),
    plan: json.optional(),
    /** Once it has ended and everything is undone. */
    termination: json.optional(),
  });
}

let schema: ReturnType<typeof recordSchema> | undefined;

function parseRecord(content: unknown): ContainerRecord {
  schema ??= recordSchema();
  return schema.parse(content) as unknown as ContainerRecord;
}

export interface ContainerRecord
  extends Omit<z.output<ReturnType<typeof recordSchema>>, 'plan' | 'termination'> {
  readonly plan?: LaunchPlanData | undefined;
  readonly termination?: Termination | undefined;
}

/**
 * A record is `pending` until the launch is answered: what recovery finds under this name was never launched for
 * anybody, and is undone, for which it needs no plan.
 */
const PENDING = 'record.pending.json';
const LAUNCHED = 'record.json';

export const isRecord = (name: string): boolean => name === PENDING || name === LAUNCHED;

export function writePendingRecord(directory: string, { plan, ...record }: ContainerRecord): void {
  writeState(join(directory, PENDING), JSON.stringify(record));
}

/**
 * From here on it goes on whatever happens to this process. Where there is no room for the plan, it does so without.
 * @returns  why the plan is not on disk
 */
export function recordLaunched(directory: string, record: ContainerRecord): Error | undefined {
  try {
    writeRecord(directory, record);
  } catch (error) {
    markLaunched(directory);
    return error as Error;
  }
  unlinkSync(join(directory, PENDING));
  return undefined;
}

/** Without its plan: of one that has ended already, and whose whole record follows. */
export function markLaunched(directory: string): void {
  // Not synced: only a crash of the host could undo the rename, and that ends the container too.
  renameSync(join(directory, PENDING), join(directory, LAUNCHED));
}

export function writeRecord(directory: string, record: ContainerRecord): void {
  writeState(join(directory, LAUNCHED), textOf(record));
}

/** By far the longest part of a record, and what a launcher got stays as it is. */
const planTexts = new WeakMap<LaunchPlanData, string>();

function textOf({ plan, ...record }: ContainerRecord): string {
  if (!plan) return JSON.stringify(record);
  let text = planTexts.get(plan);
  if (text === undefined) {
    text = JSON.stringify(plan);
    planTexts.set(plan, text);
  }
  return `${JSON.stringify(record).slice(0, -1)},"plan":${text}}`;
}

export interface FoundRecord {
  readonly record: ContainerRecord;
  /** False: the launch was under way. */
  readonly launched: boolean;
}

/** Undefined if there is none; a file that is no record makes `unreadable` be called, and counts as none. */
export function readRecord(
  directory: string,
  unreadable: (file: string, error: unknown) => void,
): FoundRecord | undefined {
  for (const [name, launched] of [
    [LAUNCHED, true],
    [PENDING, false],
  ] as const) {
    const file = join(directory, name);
    try {
      const record = readState(file, parseRecord);
      if (record) return { record, launched };
    } catch (error) {
      unreadable(file, error);
    }
  }
  return undefined;
}
