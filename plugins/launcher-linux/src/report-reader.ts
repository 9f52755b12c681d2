import { closeSync, readSync } from 'node:fs';
import { RECORD_BYTES } from '@caisson/linux/exec-stage';
import type { Reaper } from '@caisson/linux/process';
import { pollReadable } from '@caisson/linux/syscalls';
import { SUPERVISOR_BIT } from './fork-server-image.js';

/** What the image says: the pid of a process it has started, of a supervisor that was forked for a launch, the record that failed, or nothing more (it executed). */
export type ReportMessage =
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'supervisor'; readonly pid: number }
  | { readonly kind: 'failure'; readonly record: Buffer }
  | { readonly kind: 'end' };

const PID_BYTES = 8;
const MOST_BYTES = 4 * PID_BYTES + 2 * RECORD_BYTES;

/** The agent's end of the report pipe. */
export class ReportReader {
  readonly #messages: ReportMessage[] = [];
  #open = true;

  constructor(
    private readonly fd: number,
    private readonly reaper: Reaper,
  ) {}

  /**
   * The next message.
   * @param patienceMs  how long to block for it before the event loop is asked to tell: a launch that is alone is
   *                    quicker without the detour
   */
  next(patienceMs: number): ReportMessage | Promise<ReportMessage> {
    const known = this.#messages.shift();
    if (known) return known;
    if (pollReadable(this.fd, patienceMs)) return this.#read();
    return new Promise((resolve) => this.reaper.watch(this.fd, () => resolve(this.#read())));
  }

  /** What is there already, and no more waiting for what is not. */
  now(): ReportMessage | undefined {
    const known = this.#messages.shift();
    if (known || !this.#open) return known;
    this.reaper.unwatch(this.fd);
    return pollReadable(this.fd, 0) ? this.#read() : undefined;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.reaper.unwatch(this.fd);
    closeSync(this.fd);
  }

  #read(): ReportMessage {
    if (!this.#open) return { kind: 'end' };
    this.#messages.push(...readMessages(this.fd));
    return this.#messages.shift() ?? { kind: 'end' };
  }
}

/** What is there; waits if nothing is. */
export function readMessages(fd: number): ReportMessage[] {
  const buffer = Buffer.alloc(MOST_BYTES);
  const length = readSync(fd, buffer);
  return length === 0 ? [{ kind: 'end' }] : splitMessages(buffer.subarray(0, length));
}

/**
 * Pids come before a failing record; each was written at once (pipe(7), PIPE_BUF). Whoever may trace a process that joins
 * his pid namespace can write here too: what is neither is left out.
 */
export function splitMessages(bytes: Buffer): ReportMessage[] {
  const messages: ReportMessage[] = [];
  let rest = bytes;
  while (rest.length >= PID_BYTES) {
    const isRecord = rest.length % RECORD_BYTES === 0;
    const size = isRecord ? RECORD_BYTES : PID_BYTES;
    messages.push(
      isRecord
        ? { kind: 'failure', record: rest.subarray(0, size) }
        : pidMessage(Number(rest.readBigInt64LE(0))),
    );
    rest = rest.subarray(size);
  }
  return messages;
}

const pidMessage = (told: number): ReportMessage =>
  told >= SUPERVISOR_BIT ? { kind: 'supervisor', pid: told - SUPERVISOR_BIT } : { kind: 'pid', pid: told };
