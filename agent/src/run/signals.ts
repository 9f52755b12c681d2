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

/** Passes signals on to the containerizer's only container, from before its launch until `stop`. */
export class SignalForwarding {
  /** The signal that ended the container here, since its command could not receive it. */
  endedBy: Signal | undefined;
  #container: Extract<ContainerEvent, { type: 'state' }> | undefined;
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
      if (event.type !== 'state') return;
      this.#container = event;
      if (this.endedBy && event.state === 'PREPARING') this.#destroy();
    });
  }

  stop(): void {
    for (const signal of this.#signals) process.off(signal, this.#handle);
    this.#stopListening();
  }

  #pass(signal: Signal): void {
    const { id, state, pid } = this.#container ?? {};
    if (state === 'DESTROYING' || state === 'ENDED') return;
    if (id && state === 'RUNNING' && !this.#mustEnd(signal, pid)) {
      this.containerizer.signal(id, numberOf(signal));
    } else if (ENDING.includes(signal)) {
      this.endedBy ??= signal;
      this.#destroy();
    }
  }

  /** An init takes no signal, and its command is not the first process: the kernel drops nothing. */
  #mustEnd(signal: Signal, pid: number | undefined): boolean {
    return ENDING.includes(signal) && !this.config.init && isDropped(pid ?? 0, numberOf(signal));
  }

  /** A failure is told by `wait`, or by the launch that this interrupts. */
  #destroy(): void {
    if (this.#container) this.containerizer.destroy(this.#container.id).catch(() => {});
  }
}
