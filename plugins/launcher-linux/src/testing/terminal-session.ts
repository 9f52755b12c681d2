import { closeSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pollReadable } from '@caisson/linux/syscalls';
import { afterEach } from '@jest/globals';
import type { Launched } from './launch-kit.js';

/** Somebody who sits at the master side. */
export class TerminalSession {
  text = '';
  /** How reading ended: a terminal without a slave gives EIO. */
  end: string | undefined;

  constructor(
    readonly launched: Launched,
    readonly master: number,
  ) {}

  type(text: string): void {
    writeSync(this.master, text);
  }

  /** Resolves with what came since the last time, once that matches. */
  async shows(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.text);
      if (found) {
        const shown = this.text.slice(0, found.index + found[0].length);
        this.text = this.text.slice(shown.length);
        return shown;
      }
      if (this.end !== undefined)
        throw new Error(`${this.end} before ${pattern}: ${JSON.stringify(this.text)}`);
      await this.#read();
    }
  }

  /** Everything up to the end. */
  async rest(): Promise<string> {
    while (this.end === undefined) await this.#read();
    return this.text;
  }

  async #read(): Promise<void> {
    if (!pollReadable(this.master, 0)) return void (await sleep(1));
    const buffer = Buffer.alloc(4096);
    try {
      const length = readSync(this.master, buffer);
      if (length === 0) this.end = 'EOF';
      this.text += buffer.toString('utf8', 0, length);
    } catch (error) {
      this.end = (error as NodeJS.ErrnoException).code ?? 'error';
    }
  }
}

/** Sits down at the terminals of containers, and gets up after each test. Call it once, at the top. */
export function useTerminalSessions(): (launched: Launched) => TerminalSession {
  const sessions: TerminalSession[] = [];
  afterEach(() => {
    for (const { master } of sessions.splice(0)) closeSync(master);
  });
  return (launched) => {
    const session = new TerminalSession(launched, launched.process.terminal?.take() as number);
    sessions.push(session);
    return session;
  };
}
