import { realpathSync } from 'node:fs';
import { describeTable, Program, type SlotValues } from '@caisson/linux/exec-stage';
import { cpuAffinity } from '@caisson/linux/syscalls';
import { isBind, type LaunchPlanData } from '@caisson/plugin-sdk';
import { attachesToDetached } from './detached-trees.js';
import { LAUNCH_BEHIND } from './fork-server-image.js';
import { LaunchTable } from './launch-table.js';
import { isOfOneShape } from './plan-shape.js';
import type { Handover, LaunchStep } from './step.js';
import { standApart } from './steps/create-filesystems.js';
import { candidateSlot } from './steps/execute.js';
import { stepsFor } from './steps/joining.js';
import { sourceSlot } from './steps/open-bind-sources.js';

/** What the shell of a container without PATH looks in (spec: the launch helper, environment). */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A plan compiled: the program, which launches of the same shape share, and what this one fills in. */
export interface CompiledLaunch {
  readonly program: Program;
  readonly table: LaunchTable;
  readonly values: SlotValues;
}

const MOST_PROGRAMS = 64;
/** The last used first. */
const programs: KnownProgram[] = [];

interface KnownProgram {
  /** What it was compiled for, as it was then. */
  readonly plan: LaunchPlanData;
  readonly candidates: number;
  readonly how: Handover;
  readonly program: Program;
  readonly table: LaunchTable;
}

/**
 * Compiles a plan to the table of system calls of its launch. Throws CAPABILITY_* for names the kernel doesn't have.
 * @param steps  others than the launch's own are for tests, which show what happens without one; never kept
 */
export function compileLaunch(
  plan: LaunchPlanData,
  steps?: readonly LaunchStep[],
  how: Handover = 'spawned',
): CompiledLaunch {
  const candidates = candidatesOf(plan);
  if (steps) {
    const own = assemble(plan, candidates.length, steps, how);
    return { ...own, values: valuesOf(plan, candidates, own.table) };
  }
  const known = programFor(plan, candidates.length, how);
  const { program, table } = known;
  return { program, table, values: valuesOf(plan, candidates, table) };
}

/** The table alone, for tests and for `describe`. */
export function compileTable(
  plan: LaunchPlanData,
  candidates = candidatesOf(plan).length,
  steps: readonly LaunchStep[] = stepsFor(plan),
  how: Handover = 'spawned',
): LaunchTable {
  const table = new LaunchTable();
  table.candidates = candidates;
  table.received = how === 'received';
  table.assemblesAhead = table.received && standApart(plan) && attachesToDetached();
  for (const step of steps) {
    if ((step.only && step.only !== how) || (step.needed && !step.needed(plan))) continue;
    table.step(step.name);
    step.compile(plan, table);
  }
  return table;
}

export function describeLaunch(plan: LaunchPlanData): string {
  const table = compileTable(plan);
  return describeTable(table, valuesOf(plan, candidatesOf(plan), table));
}

function assemble(
  plan: LaunchPlanData,
  candidates: number,
  steps: readonly LaunchStep[],
  how: Handover,
): { program: Program; table: LaunchTable } {
  const table = compileTable(plan, candidates, steps, how);
  return { table, program: new Program(table, how === 'received' ? { behind: LAUNCH_BEHIND } : {}) };
}

function programFor(plan: LaunchPlanData, candidates: number, how: Handover): KnownProgram {
  const index = programs.findIndex(
    (each) => each.how === how && each.candidates === candidates && isOfOneShape(each.plan, plan),
  );
  if (index === 0) return programs[0] as KnownProgram;
  const [known] = index < 0 ? [] : programs.splice(index, 1);
  const first = known ?? {
    ...assemble(plan, candidates, stepsFor(plan), how),
    plan: structuredClone(plan),
    candidates,
    how,
  };
  programs.unshift(first);
  if (programs.length > MOST_PROGRAMS) programs.pop();
  return first;
}

function valuesOf(
  plan: LaunchPlanData,
  candidates: readonly string[],
  { letsGoOfHost }: Pick<LaunchTable, 'letsGoOfHost'>,
): SlotValues {
  const environment = { PATH: DEFAULT_PATH, ...plan.environment };
  const values: Record<string, SlotValues[string]> = {
    agentPid: process.pid,
    affinity: cpuAffinity(),
    argv: plan.argv,
    environment: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    workingDirectory: plan.workingDirectory ?? '/',
  };
  if (!letsGoOfHost) {
    if (plan.rootfs !== undefined) values.rootfs = realpathSync.native(plan.rootfs);
    plan.mounts.forEach((mount, index) => {
      if (isBind(mount)) values[sourceSlot(index)] = realpathSync.native(mount.source);
    });
  }
  candidates.forEach((path, index) => {
    values[candidateSlot(index)] = path;
  });
  return values;
}

/** The paths to try, in order: as execvp(3), but that an empty part of PATH is not the working directory. */
function candidatesOf({ argv, executable, environment }: LaunchPlanData): string[] {
  const command = executable ?? (argv[0] as string);
  if (command.includes('/')) return [command];
  const folders = (environment.PATH ?? DEFAULT_PATH).split(':').filter((folder) => folder.startsWith('/'));
  return folders.length > 0 ? folders.map((folder) => `${folder}/${command}`) : [`/${command}`];
}
