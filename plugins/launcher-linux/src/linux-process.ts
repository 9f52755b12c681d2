import { closeSync } from 'node:fs';
import type { Cgroups } from '@caisson/linux/cgroups';
import { decodeWaitStatus, type ProcessIdentity, type Reaper } from '@caisson/linux/process';
import { pidfdSendSignal } from '@caisson/linux/syscalls';
import {
  type ContainerPipes,
  type ContainerProcess,
  type ContainerTerminal,
  type LauncherState,
  withCause,
} from '@caisson/plugin-sdk';
import { oldestChild, youngestChild } from './children.js';
import { endContainer } from './end-container.js';
import { errors } from './errors.js';
import { closeGate, type Gate, nextMessage, openGate } from './gate.js';
import { launchError } from './launch-error.js';
import type { PipeEnds } from './pipes.js';
import { runsCommand } from './runs-command.js';
import type { RecordedEnd } from './status-file.js';
import { closePair, type SupervisedPair, supervisorEnd } from './supervised.js';
import type { TrackingGroup } from './tracking-group.js';

/** What a launch leaves on disk to be taken up again by `adopt`. */
export interface LinuxLauncherState extends LauncherState {
  readonly supervisor: ProcessIdentity;
  readonly process: ProcessIdentity;
  /** The first process is an init: signals are for its first child. */
  readonly init: boolean;
  /** It joins a pid namespace: the container is a process that `process` starts there, and leaves to the supervisor. */
  readonly joins: boolean;
  /** It would gain by tracing a launch (`Entrances`). */
  readonly traces?: boolean | undefined;
  /** The number of the master side of its terminal in the supervisor, which holds it open. */
  readonly terminal?: number | undefined;
  /** The same for its pipes. */
  readonly pipes?: PipeEnds | undefined;
}

export interface LinuxProcessParts {
  readonly id: string;
  readonly state: LinuxLauncherState;
  readonly pid: number;
  readonly pair: SupervisedPair;
  readonly statusPath: string;
  readonly reaper: Reaper;
  readonly cgroups: Cgroups;
  readonly gate?: Gate | undefined;
  readonly terminal?: (ContainerTerminal & { close(): void }) | undefined;
  readonly pipes?: (ContainerPipes & { close(): void }) | undefined;
  /** For a container without a pid namespace of its own. */
  readonly tracking?: TrackingGroup | undefined;
}

/** A container's first process and its supervisor, gated, running, or taken up after a restart. */
export class LinuxProcess implements ContainerProcess {
  readonly exited: Promise<number | undefined>;
  readonly terminal: ContainerTerminal | undefined;
  readonly pipes: ContainerPipes | undefined;
  readonly #firstProcessEnded: Promise<RecordedEnd | undefined>;
  #settle: (status: number | undefined) => void = () => {};
  #gate: Gate | undefined;
  #pid: number;
  #allGone = false;
  #endingTheRest: Promise<void> | undefined;
  #unsupervised = false;
  #closed = false;

  private readonly parts: Omit<LinuxProcessParts, 'gate'>;

  constructor({ gate, ...parts }: LinuxProcessParts) {
    this.parts = parts;
    this.#pid = parts.pid;
    // With the whole launch, which is not to be kept for the life of the container: see `release`.
    this.#gate = gate;
    this.terminal = parts.terminal;
    this.pipes = parts.pipes;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#firstProcessEnded = supervisorEnd(parts.pair, parts.statusPath, parts.reaper, parts.state.joins);
    // What does not die is reported by `destroy`, which tries again.
    this.#firstProcessEnded.then(() => this.#endTheRest()).catch(() => {});
  }

  /** Its supervisor is the first to know how it ended, and writes that down as its last act. */
  get cause(): ContainerProcess['cause'] {
    return this.#unsupervised
      ? { reason: 'SUPERVISOR_KILLED', message: 'its supervisor was killed, and it with it' }
      : undefined;
  }

  /** By the supervisor, in its status file. */
  get endIsRecorded(): boolean {
    return this.#allGone && !this.#unsupervised;
  }

  /** Another one after `release`, if the container has joined a pid namespace. */
  get pid(): number {
    return this.#pid;
  }

  get state(): LinuxLauncherState {
    return this.parts.state;
  }

  async release(): Promise<void> {
    const gate = this.#gate;
    if (!gate) throw errors.SUPERVISOR_ENDED(this.parts.id, 'before its gate was opened');
    this.#gate = undefined;
    let left: (() => void) | undefined;
    try {
      this.#requireTracked();
      if (gate.enter) left = await gate.enter();
      openGate(gate, this.#pid);
      await this.#executed(gate);
      gate.onExecuted();
    } finally {
      left?.();
      closeGate(gate);
    }
  }

  /** Until it is reaped (threat model N12). */
  get holdsPid(): boolean {
    const { container } = this.parts.pair;
    return container !== undefined && !this.#closed && pidfdSendSignal(container, 0);
  }

  owns(pid: number): boolean {
    return pid === this.#pid && this.holdsPid;
  }

  signal(signal: number): boolean {
    const { container } = this.parts.pair;
    if (this.#allGone || container === undefined) return false;
    const command = this.state.init ? oldestChild(this.pid) : undefined;
    if (!command) return pidfdSendSignal(container, signal);
    try {
      return pidfdSendSignal(command.pidfd, signal);
    } finally {
      closeSync(command.pidfd);
    }
  }

  /** @throws PROCESS_LIVES_ON  something does not die; may be called again */
  async destroy(): Promise<void> {
    const { pair, cgroups, id, tracking } = this.parts;
    if (this.#allGone) return this.#shutGate();
    // It may be about to join: then there are two of them.
    if (this.state.joins) tracking?.end().catch(() => {});
    const ended = endContainer(pair, this.pid, this.#firstProcessEnded, cgroups);
    // After the signal: who was destroyed at the gate was killed, and has not failed there.
    this.#shutGate();
    if (!(await ended)) throw errors.PROCESS_LIVES_ON(id, [this.pid]);
    await this.#endTheRest();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#shutGate();
    closePair(this.parts.pair, this.parts.reaper);
    this.parts.terminal?.close();
    this.parts.pipes?.close();
  }

  /** @throws TRACKING_LEFT  what it starts where an isolator has moved it could not be ended */
  #requireTracked(): void {
    const { tracking, id } = this.parts;
    const elsewhere = tracking?.follow(this.#pid);
    if (elsewhere && this.owns(this.#pid)) throw errors.TRACKING_LEFT(id, String(elsewhere));
  }

  /** End of file on the report is exec, or death: launched is what was executed (threat model N11). */
  async #executed(gate: Gate): Promise<void> {
    const { table, values } = gate;
    for (;;) {
      const message = await nextMessage(gate, this.#firstProcessEnded);
      if (message.kind === 'failure') throw launchError(this.parts.id, table, values, message.record);
      if (message.kind === 'end') break;
    }
    if (this.state.joins) this.#followInside();
    const { container } = this.parts.pair;
    if (container === undefined || runsCommand(this.pid, container, this.state.init)) return;
    const end = await this.#firstProcessEnded;
    const { signal, exitCode } = end ? decodeWaitStatus(end.status) : {};
    // An init executes nothing itself: if it could leave, it had a command.
    if (end?.executed || (this.state.init && exitCode !== undefined)) return;
    const command = String((values.argv as readonly string[])[0]);
    throw errors.ENDED_BEFORE_EXEC(
      this.parts.id,
      command,
      signal ?? (exitCode === undefined ? 'an unknown cause' : `exit ${exitCode}`),
    );
  }

  /** The process in the pid namespace that was joined: from here on it is the container. */
  #followInside(): void {
    const { pair, state } = this.parts;
    const inside = youngestChild(state.supervisor.pid);
    if (!inside) return;
    if (pair.container !== undefined) closeSync(pair.container);
    pair.container = inside.pidfd;
    this.#pid = inside.pid;
  }

  #shutGate(): void {
    const gate = this.#gate;
    this.#gate = undefined;
    if (gate) closeGate(gate);
  }

  /**
   * Without a pid namespace, what the first process has left behind lives on: it is ended too. One run for all who ask: whoever
   * is done first may close what the other one still needs.
   */
  #endTheRest(): Promise<void> {
    this.#endingTheRest ??= this.#endRest().finally(() => {
      this.#endingTheRest = undefined;
    });
    return this.#endingTheRest;
  }

  async #endRest(): Promise<void> {
    if (this.#allGone) return;
    const { tracking, id } = this.parts;
    try {
      await tracking?.end();
    } catch (error) {
      throw withCause(errors.PROCESS_LIVES_ON(id, tracking?.pids() ?? []), error);
    }
    this.#allGone = true;
    const end = await this.#firstProcessEnded;
    this.#unsupervised = end?.supervised !== true;
    this.#settle(end?.status);
  }
}
