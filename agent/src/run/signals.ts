/**
 * Signals that reach `caisson run` are meant for its command. That is in a session of its own (threat model N1), so
 * neither a terminal's ^C nor a service manager's SIGTERM comes to it.
 */
import { constants } from 'node:os';
import type { ContainerEvent, Containerizer } from '@caisson/core';
import type { ContainerConfig } from '@caisson/plugin-sdk';
import { isDropped } from './dropped-signals.js';

type Signal = NodeJS.Signals;

/** By default they end a process (signal(7)). */
const ENDING: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
/** By default they do nothing. */
const HARMLESS: readonly Signal[] = ['SIGCONT', 'SIGWINCH'];

const numberOf = (signal: Signal): number => constants.signals[signal];

type StateEvent = Extract<ContainerEvent, { type: 'state' }>;

/** How long a signal waits for a launch to finish before it ends the launch. */
const PATIENCE_MS = 500;

/** Passes signals on to the containerizer's only container, from before its launch until `stop`. */
export class SignalForwarding {
  /** The signal that ended the container here, since its command could not receive it. */
  endedBy: Signal | undefined;
  #container: StateEvent | undefined;
  /** Came while the command was being executed: it may run already, which is known a moment later. */
  #waiting: Signal[] = [];
  #patience: NodeJS.Timeout | undefined;
  readonly #signals: readonly Signal[];
  readonly #handle = (signal: Signal): void => this.#pass(signal);
  readonly #stopListening: () => void;

  constructor(
    private readonly containerizer: Containerizer,
    private readonly config: ContainerConfig,
  ) {
    // Of a new window size a container with a terminal of its own is told by the kernel.
    this.#signals = [...ENDING, ...HARMLESS].filter((s) => s !== 'SIGWINCH' || config.stdio !== 'terminal');
    for (const signal of this.#signals) process.on(signal, this.#handle);
    this.#stopListening = containerizer.onEvent((event) => {
      if (event.type === 'state') this.#changed(event);
    });
  }

  stop(): void {
    for (const signal of this.#signals) process.off(signal, this.#handle);
    this.#stopListening();
    clearTimeout(this.#patience);
  }

  #changed(event: StateEvent): void {
    this.#container = event;
    if (event.state === 'PREPARING' && this.endedBy) this.#destroy();
    if (event.state !== 'RUNNING') return;
    clearTimeout(this.#patience);
    for (const signal of this.#waiting.splice(0)) this.#deliver(signal, event);
  }

  #pass(signal: Signal): void {
    const container = this.#container;
    if (container?.state === 'RUNNING') this.#deliver(signal, container);
    else if (container?.state === 'ISOLATING') this.#wait(signal);
    else if (ENDING.includes(signal) && container?.state !== 'ENDED') this.#end(signal);
  }

  #deliver(signal: Signal, { id, pid }: StateEvent): void {
    if (this.#mustEnd(signal, pid)) this.#end(signal);
    else this.containerizer.signal(id, numberOf(signal));
  }

  #wait(signal: Signal): void {
    this.#waiting.push(signal);
    if (ENDING.includes(signal)) this.#patience ??= setTimeout(() => this.#end(signal), PATIENCE_MS);
  }

  #end(signal: Signal): void {
    if (this.#container?.state === 'DESTROYING') return;
    this.endedBy ??= signal;
    this.#destroy();
  }

  /** An init takes no signal, and its command is not the first process: the kernel drops nothing. */
  #mustEnd(signal: Signal, pid = 0): boolean {
    return ENDING.includes(signal) && !this.config.init && isDropped(pid, numberOf(signal));
  }

  /** A failure is told by `wait`, or by the launch that this interrupts. */
  #destroy(): void {
    if (this.#container) this.containerizer.destroy(this.#container.id).catch(() => {});
  }
}
