import type { Checkpoints, Clock, Logger } from '../services.js';

export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A Logger that keeps what is logged. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];
  debug = this.#keep('debug');
  info = this.#keep('info');
  warn = this.#keep('warn');
  error = this.#keep('error');

  #keep(level: keyof Logger) {
    return (fields: object, message: string): void => {
      this.lines.push({ level, message, fields: fields as Record<string, unknown> });
    };
  }
}

/** A Clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #wallStart = Date.parse('2025-01-01T00:00:00Z');

  monotonicMs(): number {
    return this.#now;
  }

  wallMs(): number {
    return this.#wallStart + this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}

/** Checkpoints without a disk. Values go through JSON, as they do in the agent: a Map or a class would not survive. */
export class MemoryCheckpoints implements Checkpoints {
  readonly #values = new Map<string, string>();

  get(containerId: string): unknown {
    const text = this.#values.get(containerId);
    return text === undefined ? undefined : JSON.parse(text);
  }

  set(containerId: string, value: unknown): void {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`a checkpoint is JSON, not ${typeof value}`);
    this.#values.set(containerId, text);
  }

  delete(containerId: string): void {
    this.#values.delete(containerId);
  }

  /** The containers that have a checkpoint. */
  ids(): string[] {
    return [...this.#values.keys()];
  }
}
