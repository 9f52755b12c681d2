import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a gated process ended. */
export interface GatedEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
}

/**
 * A process as an isolator meets it: it exists and waits at a gate. `release` lets it execute its command, as the same
 * process.
 */
export class GatedProcess {
  /** Resolves with how it ended and what it wrote; what it has started may live on, and write no more. */
  readonly ended: Promise<GatedEnd>;
  #stdout = '';
  #changed = () => {};

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (data) => {
      this.#stdout += data;
      this.#changed();
    });
    this.ended = once(child, 'exit').then(async ([exitCode, signal]) => {
      // What is in the pipe comes in the next turns of the event loop; its end may never come.
      await Promise.race([once(child, 'close'), sleep(50)]);
      child.stdout?.destroy();
      this.#changed();
      return { exitCode, signal, stdout: this.#stdout };
    });
  }

  /** `argv`, or a script for sh. */
  static async start(command: string | readonly string[]): Promise<GatedProcess> {
    const argv = typeof command === 'string' ? ['sh', '-c', command] : command;
    const child = spawn('sh', ['-c', 'read -r _ && exec "$@"', 'sh', ...argv], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child, 'spawn');
    child.stdin?.on('error', () => {}); // it was killed at the gate
    return new GatedProcess(child);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  release(): void {
    this.child.stdin?.write('\n');
  }

  /** To the standard input of its command. */
  send(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Resolves with what it wrote so far once that matches; rejects if it ends without. */
  async output(pattern: RegExp): Promise<string> {
    const over = this.ended.then(() => true);
    for (;;) {
      if (pattern.test(this.#stdout)) return this.#stdout;
      const more = new Promise<false>((resolve) => {
        this.#changed = () => resolve(false);
      });
      if ((await Promise.race([over, more])) && !pattern.test(this.#stdout))
        throw new Error(`ended without ${pattern}: ${this.#stdout}`);
    }
  }

  /** Ends it, whatever it does. What it has started lives on. */
  async kill(): Promise<GatedEnd> {
    this.child.kill('SIGKILL');
    this.child.stdin?.destroy();
    return this.ended;
  }
}
