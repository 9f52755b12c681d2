import { closeSync } from 'node:fs';
import type { Program, SlotValues } from '@caisson/linux/exec-stage';
import type { Reaper } from '@caisson/linux/process';
import { pidfdOpen, pollReadable, send, sendDescriptors } from '@caisson/linux/syscalls';
import { awaitChild, type Child, type Identities, identitiesOf, pidfdOfGrandchild } from './children.js';
import { HEADER_BYTES, MOST_LAUNCH_BYTES } from './fork-server-image.js';
import { readMessages } from './report-reader.js';

const TELLS_WITHIN_MS = 1000;

/** Its two processes, by their pidfds. */
export interface Met {
  readonly supervisor: Child;
  readonly first: Child;
  readonly identities: Identities;
}

/** A supervisor and the first process of a container, which waits in its namespaces for a launch of one kind. */
export class WaitingPair {
  /** Once they have been met. */
  met: Met | undefined;
  #supervisorPid: number | undefined;
  #firstPid: number | undefined;
  #stopMeeting = () => {};
  #ended = false;

  private constructor(
    private readonly program: Program,
    /** The agent's ends. */
    readonly gate: number,
    readonly report: number,
    private readonly socket: number,
  ) {}

  /** Of a process that waits for its table. @throws SyscallError  EPIPE, ECONNRESET it has died */
  static of(program: Program, gate: number, report: number, socket: number): WaitingPair {
    send(socket, headerOf(program.template.length));
    send(socket, program.template);
    return new WaitingPair(program, gate, report, socket);
  }

  /**
   * Looks at the two as soon as they are there, so that a launch need not.
   * @param before  called before they are met; may end them
   */
  meet(reaper: Reaper, before: () => void): void {
    this.#stopMeeting = () => reaper.unwatch(this.report);
    reaper.watch(this.report, () => {
      before();
      if (this.#ended || !this.#hear()) return;
      if (this.#bothTold) this.#look();
      else this.meet(reaper, before);
    });
  }

  get #bothTold(): boolean {
    return this.#supervisorPid !== undefined && this.#firstPid !== undefined;
  }

  /** What they have told of themselves; false if they will tell no more. */
  #hear(): boolean {
    for (const message of readMessages(this.report)) {
      if (message.kind === 'supervisor') this.#supervisorPid = message.pid;
      else if (message.kind === 'pid') this.#firstPid = message.pid;
      else return false;
    }
    return true;
  }

  /** Without a descriptor to hold them by they are not met: a launch looks once more, and goes without them. */
  #look(): void {
    const [supervisorPid, firstPid] = [this.#supervisorPid as number, this.#firstPid as number];
    let [supervisor, pidfd]: (number | undefined)[] = [];
    try {
      pidfd = pidfdOfGrandchild(firstPid, supervisorPid);
      if (pidfd === undefined) return;
      supervisor = pidfdOpen(supervisorPid);
      const pair = { supervisor: { pid: supervisorPid, pidfd: supervisor }, first: { pid: firstPid, pidfd } };
      this.met = { ...pair, identities: identitiesOf(pair.supervisor, pair.first) };
    } catch {
    } finally {
      if (!this.met) for (const fd of [pidfd, supervisor]) if (fd !== undefined) closeSync(fd);
    }
  }

  /** Both or none: a launch reads what is told from now on. False if one was heard of, and the other cannot be met. */
  #finishMeeting(): boolean {
    this.#stopMeeting();
    if (this.#supervisorPid === undefined && this.#firstPid === undefined) return true;
    while (!this.#bothTold && pollReadable(this.report, TELLS_WITHIN_MS)) if (!this.#hear()) break;
    if (this.#bothTold && !this.met) this.#look();
    return this.met !== undefined;
  }

  /**
   * Hands a launch over: true once all of it is on its way; gate and report are the caller's then. False if it cannot be taken:
   * the process has died, or the arguments are too large. Then nothing of it was acted on; `end` it.
   */
  launch(values: SlotValues, descriptors: readonly number[]): boolean {
    if (!this.#finishMeeting()) return false;
    const slots = this.program.fillSlots(values);
    if (this.program.template.length + slots.length > MOST_LAUNCH_BYTES) return false;
    try {
      // Apart: reading stops behind a message that brings descriptors (unix(7)).
      sendDescriptors(this.socket, headerOf(slots.length), descriptors);
      if (send(this.socket, slots) !== slots.length) return false;
    } catch {
      return false;
    }
    closeSync(this.socket);
    return true;
  }

  /** Ends one that is not needed: the end of its socket ends the first process, and that the supervisor. */
  end(): void {
    this.#ended = true;
    closeSync(this.socket);
    closeSync(this.gate);
    this.#stopMeeting();
    while (this.#supervisorPid === undefined && pollReadable(this.report, TELLS_WITHIN_MS))
      if (!this.#hear()) break;
    closeSync(this.report);
    if (this.met) for (const { pidfd } of [this.met.supervisor, this.met.first]) closeSync(pidfd);
    if (this.#supervisorPid !== undefined) awaitChild(this.#supervisorPid);
  }
}

function headerOf(length: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(length), 0);
  header.writeBigUInt64LE(BigInt(length), 8);
  return header;
}
