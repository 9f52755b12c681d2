import { closeSync, writeSync } from 'node:fs';
import { decodeReport, failureMessage, type SlotValues } from '@caisson/linux/exec-stage';
import type { ProcessIdentity, Reaper } from '@caisson/linux/process';
import { pidfdSendSignal } from '@caisson/linux/syscalls';
import type { CaissonError, ContainerProcess, ContainerTerminal, LauncherState } from '@caisson/plugin-sdk';
import { endContainer } from './end-container.js';
import { errors } from './errors.js';
import { commandOfInit } from './init-command.js';
import type { LaunchTable } from './launch-table.js';
import type { ReportReader } from './report-reader.js';
import { closePair, type SupervisedPair, supervisorEnd } from './supervised.js';
import type { TrackingGroup } from './tracking-group.js';

/** What a launch leaves on disk to be taken up again by `adopt`. */
export interface LinuxLauncherState extends LauncherState {
  readonly supervisor: ProcessIdentity;
  readonly process: ProcessIdentity;
  /** The first process is an init: signals are for its first child. */
  readonly init: boolean;
  /** Path of the tracking cgroup, for a container without a pid namespace of its own. */
  readonly trackingGroup?: string | undefined;
}

/** The gate of a process that waits there, and how to read what it says. */
export interface Gate {
  /** One byte opens it, closing it ends the process. */
  readonly writeEnd: number;
  readonly report: ReportReader;
  readonly table: LaunchTable;
  readonly values: SlotValues;
  readonly patienceMs: () => number;
}

export interface LinuxProcessParts {
  readonly id: string;
  readonly state: LinuxLauncherState;
  readonly pair: SupervisedPair;
  readonly statusPath: string;
  readonly reaper: Reaper;
  readonly gate?: Gate | undefined;
  readonly terminal?: (ContainerTerminal & { close(): void }) | undefined;
  readonly tracking?: TrackingGroup | undefined;
}

/** A container's first process and its supervisor, gated, running, or taken up after a restart. */
export class LinuxProcess implements ContainerProcess {
  readonly exited: Promise<number | undefined>;
  readonly terminal: ContainerTerminal | undefined;
  #gate: Gate | undefined;
  #ended = false;
  #closed = false;

  constructor(private readonly parts: LinuxProcessParts) {
    this.#gate = parts.gate;
    this.terminal = parts.terminal;
    this.exited = this.#end();
  }

  get pid(): number {
    return this.parts.state.process.pid;
  }

  get state(): LinuxLauncherState {
    return this.parts.state;
  }

  async release(): Promise<void> {
    const gate = this.#gate;
    if (!gate) throw errors.SUPERVISOR_ENDED(this.parts.id, 'before its gate was opened');
    this.#gate = undefined;
    try {
      openGate(gate.writeEnd);
      await this.#executed(gate);
    } finally {
      closeSync(gate.writeEnd);
      gate.report.close();
    }
  }

  signal(signal: number): boolean {
    const { container } = this.parts.pair;
    if (this.#ended || container === undefined) return false;
    const command = this.state.init ? commandOfInit(this.pid) : undefined;
    if (command === undefined) return pidfdSendSignal(container, signal);
    try {
      return pidfdSendSignal(command, signal);
    } finally {
      closeSync(command);
    }
  }

  async destroy(): Promise<void> {
    this.#shutGate();
    if (this.#ended) return;
    await endContainer(this.parts, this.exited);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shutGate();
    closePair(this.parts.pair, this.parts.reaper);
    this.parts.terminal?.close();
  }

  /** End of file on the report is exec: the only moment that counts as launched (threat model N11). */
  async #executed({ report, table, values, patienceMs }: Gate): Promise<void> {
    for (;;) {
      const message = await report.next(patienceMs());
      if (message.kind === 'pid') continue;
      if (message.kind === 'failure') throw launchError(this.parts.id, table, values, message.record);
      return;
    }
  }

  #shutGate(): void {
    const gate = this.#gate;
    this.#gate = undefined;
    if (!gate) return;
    closeSync(gate.writeEnd);
    gate.report.close();
  }

  async #end(): Promise<number | undefined> {
    const { pair, statusPath, reaper, tracking } = this.parts;
    const status = await supervisorEnd(pair, statusPath, reaper);
    // Without a pid namespace, what the first process has left behind lives on.
    await tracking?.end();
    this.#ended = true;
    return status;
  }
}

function openGate(writeEnd: number): void {
  try {
    writeSync(writeEnd, '1');
  } catch (error) {
    // The process has died at the gate: its report, or its end, says why.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}

/** The failing record as an error for the person who reads it. */
export function launchError(
  id: string,
  table: LaunchTable,
  values: SlotValues,
  record: Buffer,
): CaissonError {
  const failure = decodeReport(table, record, values);
  const { step, call, errno, advice } = failure;
  if (step === 'execute' && call === 'execve' && errno) {
    const command = String((values['argv'] as readonly string[])[0]);
    return errno === 'ENOENT'
      ? errors.COMMAND_NOT_FOUND(id, command, advice)
      : errors.COMMAND_NOT_EXECUTABLE(id, command, errno, advice);
  }
  return errors.LAUNCH_STEP_FAILED(id, failureMessage(failure), advice);
}
