import type { ChildProcess } from 'node:child_process';

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs: what it has written so far, what it will say, and its end. */
export class Running {
  /** For the end of a test that failed half-way. */
  static readonly alive = new Set<ChildProcess>();
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  #waiting: (() => void)[] = [];

  constructor(readonly child: ChildProcess) {
    Running.alive.add(child);
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        for (const look of this.#waiting.splice(0)) look();
      });
    this.ended = new Promise((resolve) =>
      child.once('close', (status, signal) => {
        Running.alive.delete(child);
        resolve({ status, signal, stdout: this.stdout, stderr: this.stderr });
        for (const look of this.#waiting.splice(0)) look();
      }),
    );
  }

  /** Resolves with the match once it has appeared in the output; rejects if the program ends without it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (let over = false; ; ) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match) return match;
      if (over) throw new Error(`ended without saying ${pattern}:\n${this.stdout}${this.stderr}`);
      await new Promise<void>((look) => this.#waiting.push(look));
      over = this.child.exitCode !== null || this.child.signalCode !== null;
    }
  }
}
