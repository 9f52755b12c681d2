import { escapeGlob } from './glob.js';

/** GNU (and its reimplementations) tells each directory, ended by NUL; what others have in common is one total. */
export type DuFlavour = 'gnu' | 'posix';

export interface DuQuestion {
  readonly flavour: DuFlavour;
  readonly count: 'blocks' | 'files';
  /** Left out, with everything below: paths relative to the directory. */
  readonly excludes: readonly string[];
}

/** GNU du counts units of stat's st_blocks: added up they are exact, where kilobytes would be rounded up for each directory. */
const BLOCK_BYTES = 512;

/**
 * The arguments of du, run in the directory that is measured (D1). `-S` adds up each directory for itself, without those
 * below: so what was told before it was stopped is a lower bound.
 */
export function duArguments({ flavour, count, excludes }: DuQuestion): string[] {
  if (flavour === 'posix') return ['-k', '-s', '-x', '--', '.'];
  const what = count === 'files' ? '--inodes' : `--block-size=${BLOCK_BYTES}`;
  return ['-x', '-S', '-0', what, ...excludes.map((path) => `--exclude=./${escapeGlob(path)}`), '--', '.'];
}

/** What a number that du says is worth, in bytes or files. */
export const unitOf = ({ flavour, count }: DuQuestion): number => {
  if (count === 'files') return 1;
  return flavour === 'gnu' ? BLOCK_BYTES : 1024;
};

/** Adds up the output of du as it comes: a number, a tab, a path, and a NUL or newline. Paths may hold newlines. */
export class DuOutput {
  #sum = 0;
  #number = 0;
  #digits = 0;
  #inNumber = true;
  #records = 0;
  readonly #end: number;

  constructor(flavour: DuFlavour) {
    this.#end = flavour === 'gnu' ? 0 : 0x0a;
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many directories were told. */
  get records(): number {
    return this.#records;
  }

  add(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at++) {
      if (this.#inNumber) this.#addDigit(chunk[at]!);
      else {
        const end = chunk.indexOf(this.#end, at);
        if (end < 0) return;
        at = end;
        this.#begin();
      }
    }
  }

  #addDigit(byte: number): void {
    if (byte >= 0x30 && byte <= 0x39) {
      this.#number = this.#number * 10 + byte - 0x30;
      this.#digits += 1;
      return;
    }
    if (this.#digits > 0) {
      this.#sum += this.#number;
      this.#records += 1;
      this.#inNumber = false;
    }
    // Spaces before a number, or a line without one.
    if (byte === this.#end) this.#begin();
  }

  #begin(): void {
    this.#inNumber = true;
    this.#number = 0;
    this.#digits = 0;
  }
}
