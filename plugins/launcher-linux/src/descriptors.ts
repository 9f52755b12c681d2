import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pipe } from '@caisson/linux/syscalls';
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { openNamespace } from './entered.js';
import type { ForkContext } from './fork-context.js';
import { DESCRIPTOR, type LaunchTable } from './launch-table.js';
import type { NullInput } from './null-input.js';
import { HeldPipes, type NewPipes, openStdioPipes, type PipeEnds } from './pipes.js';
import type { Placement } from './spawn-image.js';
import { inheritedStdio, type Stdio, sandboxStdio } from './stdio.js';
import { namespaceDescriptor } from './steps/join-namespaces.js';
import { STATUS_BYTES } from './steps/supervise.js';
import { MasterSide, type NewTerminal, openTerminal } from './terminal.js';

/** The agent's ends, and what the image is given. */
export interface LaunchDescriptors {
  /** One byte opens the gate; closing it ends the gated process. */
  readonly gate: number;
  /** Pids, and the record of a failure; its end of file tells of exec. */
  readonly report: number;
  readonly terminal: MasterSide | undefined;
  readonly pipes: HeldPipes | undefined;
  readonly placement: Placement;
  /** Closes what was the image's alone; from now on the report belongs to its reader. */
  handedOver(): void;
  /** Closes everything that is still ours. */
  abandon(): void;
}

export const statusFile = (container: Pick<Container, 'runtimeDirectory'>): string =>
  join(container.runtimeDirectory, 'status');

/** The agent's ends of the pipes of a first process that has the others already; its supervisor has the status file. */
export interface KnownEnds {
  readonly gate: number;
  readonly report: number;
}

/** Opens all that a launch hands to its image. On a failure nothing of it stays open. */
export function openDescriptors(
  container: Container,
  plan: LaunchPlanData,
  table: LaunchTable,
  { input, reaper }: Pick<ForkContext, 'input' | 'reaper'>,
  known?: KnownEnds,
): LaunchDescriptors {
  const theirs: number[] = [];
  const ours: number[] = [];
  const closeAll = (list: number[]) => {
    for (const fd of list.splice(0)) closeSync(fd);
  };
  let master: MasterSide | undefined;
  let held: HeldPipes | undefined;
  try {
    const terminal = plan.stdio === 'terminal' ? openTerminal(plan) : undefined;
    if (terminal) theirs.push(terminal.slave, terminal.devpts);
    master = terminal && new MasterSide(terminal.master, reaper);
    const stdioPipes = plan.stdio === 'pipes' ? openStdioPipes(plan.user) : undefined;
    held = stdioPipes && new HeldPipes(stdioPipes.ours, reaper);
    const stdio = stdioOf(container, plan, terminal, stdioPipes, input);
    theirs.push(...stdio.owned);
    const pipes = known ? undefined : openPipes(ours, theirs);
    const extras = openExtras(container.id, plan, table, { terminal, pipes: stdioPipes?.ours }, theirs);
    const placement = [
      ...stdio.descriptors.map((from, to) => ({ from, to })),
      ...(pipes ? supervisorsOwn(container, pipes, theirs) : []),
      ...extras,
    ];
    const ends = known ?? { gate: pipes?.gate.writeEnd ?? -1, report: pipes?.report.readEnd ?? -1 };
    return {
      ...ends,
      terminal: master,
      pipes: held,
      placement,
      handedOver() {
        closeAll(theirs);
        if (pipes) ours.splice(ours.indexOf(pipes.report.readEnd), 1);
        else ours.push(ends.gate);
      },
      abandon() {
        closeAll(theirs);
        closeAll(ours);
        master?.close();
        held?.close();
      },
    };
  } catch (error) {
    closeAll(theirs);
    closeAll(ours);
    master?.close();
    held?.close();
    throw error;
  }
}

function supervisorsOwn(
  container: Container,
  { gate, report }: ReturnType<typeof openPipes>,
  theirs: number[],
): { from: number; to: number }[] {
  const status = openStatus(statusFile(container));
  theirs.push(status);
  return [
    { from: gate.readEnd, to: DESCRIPTOR.gate },
    { from: report.writeEnd, to: DESCRIPTOR.report },
    { from: status, to: DESCRIPTOR.status },
  ];
}

/** Gate and report; each end is noted at once, for whoever closes them when the next one cannot be opened. */
export function openPipes(ours: number[], theirs: number[]): Record<'gate' | 'report', Pipe> {
  const gate = pipe();
  ours.push(gate.writeEnd);
  theirs.push(gate.readEnd);
  const report = pipe();
  ours.push(report.readEnd);
  theirs.push(report.writeEnd);
  return { gate, report };
}
type Pipe = ReturnType<typeof pipe>;

/**
 * 0600, written by the supervisor alone: the truth about how the container ended. It has its size from the beginning: a
 * filesystem that is full by then could not take it.
 */
export function openStatus(path: string): number {
  const status = openSync(path, 'w', 0o600);
  try {
    writeSync(status, Buffer.alloc(STATUS_BYTES));
    return status;
  } catch (error) {
    closeSync(status);
    throw error;
  }
}

function stdioOf(
  container: Container,
  plan: LaunchPlanData,
  terminal: NewTerminal | undefined,
  pipes: NewPipes | undefined,
  input: NullInput,
): Stdio {
  if (pipes) return { descriptors: pipes.theirs, owned: pipes.theirs };
  if (terminal) return { descriptors: [terminal.slave, terminal.slave, terminal.slave], owned: [] };
  return plan.stdio === 'inherit' ? inheritedStdio : sandboxStdio(container, plan.user, input);
}

function openExtras(
  id: string,
  { namespaces }: LaunchPlanData,
  table: LaunchTable,
  { terminal, pipes }: { terminal: NewTerminal | undefined; pipes: PipeEnds | undefined },
  theirs: number[],
): { from: number; to: number }[] {
  const sources = new Map<string, () => number>();
  for (const [name, fd] of Object.entries(pipes ?? {})) sources.set(name, () => fd);
  if (terminal) {
    sources.set('devpts', () => terminal.devpts);
    sources.set('master', () => terminal.master);
  }
  for (const entered of namespaces.enter)
    sources.set(namespaceDescriptor(entered.kind), () => {
      const fd = openNamespace(id, entered);
      theirs.push(fd);
      return fd;
    });
  return table.extras.map((name) => {
    const open = sources.get(name);
    if (!open) throw new Error(`the table wants a descriptor ${name} that nobody opens`);
    return { from: open(), to: table.descriptor(name) };
  });
}
