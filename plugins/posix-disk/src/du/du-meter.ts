import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Found } from '../measurement.js';
import type { DuFlavour } from './arguments.js';
import { type DuAnswer, type DuRun, runDu } from './run-du.js';

const execute = promisify(execFile);

export interface DuTarget {
  /** What is measured, in whatever directory it is found: it is measured by one du at a time. */
  readonly subject: object;
  /** A path that leads to the directory whatever becomes of its name. */
  readonly directory: string;
  readonly excludes: readonly string[];
  readonly countFiles: boolean;
  readonly signal: AbortSignal;
}

/** Measures by walking. */
export class DuMeter {
  #flavour: Promise<DuFlavour> | undefined;
  /** The last du of each. */
  readonly #runs = new WeakMap<object, DuRun>();

  constructor(
    private readonly program: string,
    private readonly timeoutMs: number,
  ) {}

  /**
   * Hard links count once, sparse files by what is allocated, symbolic links aren't followed, other filesystems are left
   * out. Not seen: files that were deleted and are still open.
   */
  async measure(target: DuTarget): Promise<Found> {
    const blocks = await this.#ask('blocks', target);
    if (!target.countFiles) return { usedBytes: blocks.amount, problem: blocks.problem };
    const files = await this.#ask('files', target);
    return { usedBytes: blocks.amount, files: files.amount, problem: blocks.problem ?? files.problem };
  }

  async #ask(count: 'blocks' | 'files', target: DuTarget): Promise<DuAnswer> {
    const flavour = await this.#flavourOf();
    if (flavour === 'posix' && (count === 'files' || target.excludes.length > 0))
      throw new Error(
        `${this.program} is not GNU du, and cannot ${count === 'files' ? 'count files' : 'leave out paths'}`,
      );
    const { subject, signal, excludes, directory } = target;
    if (this.#runs.get(subject)?.isGone() === false)
      throw new Error('the du that was ended is still there: it hangs');
    const run = runDu(this.program, { flavour, count, excludes }, directory, {
      timeoutMs: this.timeoutMs,
      signal,
    });
    this.#runs.set(subject, run);
    return run.answer;
  }

  #flavourOf(): Promise<DuFlavour> {
    this.#flavour ??= execute(this.program, ['--version'], { env: { LC_ALL: 'C' }, timeout: 5000 }).then(
      ({ stdout }) => (/coreutils/.test(stdout) ? 'gnu' : 'posix'),
      () => 'posix' as const,
    );
    return this.#flavour;
  }
}
