import { classidOf, HIGHEST_HALF, primaryOf, secondaryOf } from './handle.js';

export interface HandleRange {
  readonly lower: number;
  readonly upper: number;
}

/** Which secondary handles of one primary are taken: a bit each. */
class Bitmap {
  readonly #bits = new Uint8Array((HIGHEST_HALF + 1) / 8);
  /** Everything below it is taken. */
  #from: number;
  #taken = 0;

  constructor(private readonly range: HandleRange) {
    this.#from = range.lower;
  }

  get free(): number {
    return this.range.upper - this.range.lower + 1 - this.#taken;
  }

  isTaken(secondary: number): boolean {
    return ((this.#bits[secondary >> 3]! >> (secondary & 7)) & 1) === 1;
  }

  lowestFree(): number | undefined {
    if (this.free === 0) return undefined;
    while (this.isTaken(this.#from)) this.#from += 1;
    return this.#from;
  }

  set(secondary: number, taken: boolean): void {
    if (this.isTaken(secondary) === taken) return;
    this.#bits[secondary >> 3]! ^= 1 << (secondary & 7);
    this.#taken += taken ? 1 : -1;
    if (!taken) this.#from = Math.min(this.#from, secondary);
  }
}

/**
 * The network classes that containers may get: each secondary handle of the range, of each primary. The lowest free one is the
 * next, and a primary is used up before the next begins.
 */
export class HandlePool {
  readonly #bitmaps: ReadonlyMap<number, Bitmap>;
  readonly total: number;

  constructor(
    readonly primaries: readonly number[],
    private readonly range: HandleRange,
  ) {
    this.#bitmaps = new Map(primaries.map((primary) => [primary, new Bitmap(range)]));
    this.total = primaries.length * (range.upper - range.lower + 1);
  }

  get free(): number {
    return [...this.#bitmaps.values()].reduce((sum, bitmap) => sum + bitmap.free, 0);
  }

  /** Whether it is one of the pool's, free or not. */
  has(classid: number): boolean {
    const secondary = secondaryOf(classid);
    return (
      this.#bitmaps.has(primaryOf(classid)) && secondary >= this.range.lower && secondary <= this.range.upper
    );
  }

  /** Undefined if all are taken. */
  lowestFree(): number | undefined {
    for (const [primary, bitmap] of this.#bitmaps) {
      const secondary = bitmap.lowestFree();
      if (secondary !== undefined) return classidOf(primary, secondary);
    }
    return undefined;
  }

  /** Does nothing for one that is not of the pool. */
  setTaken(classid: number, taken: boolean): void {
    if (this.has(classid)) this.#bitmaps.get(primaryOf(classid))!.set(secondaryOf(classid), taken);
  }
}
