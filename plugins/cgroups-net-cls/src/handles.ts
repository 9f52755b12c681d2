import { errors } from './errors.js';
import type { HandlePool } from './handle-pool.js';

/**
 * Who has which network class. A class is free once its last holder has let it go; a holder is a container, or a cgroup of
 * somebody else's. Classes from outside the pool are held too: containers of an earlier configuration keep theirs, and none
 * of them gets into the pool.
 */
export class Handles {
  readonly #byHolder = new Map<string, number>();
  readonly #holders = new Map<number, Set<string>>();

  /** @param pool  undefined: classes are not managed */
  constructor(readonly pool: HandlePool | undefined) {}

  of(holder: string): number | undefined {
    return this.#byHolder.get(holder);
  }

  /** What is found is held, even twice: it is the kernel's word. */
  hold(holder: string, classid: number): void {
    if (this.#byHolder.get(holder) === classid) return;
    this.letGo(holder);
    this.#byHolder.set(holder, classid);
    const holders = this.#holders.get(classid) ?? new Set();
    this.#holders.set(classid, holders.add(holder));
    this.pool?.setTaken(classid, true);
  }

  /** Only once no cgroup carries it any more. Does nothing for one who holds nothing. */
  letGo(holder: string): void {
    const classid = this.#byHolder.get(holder);
    if (classid === undefined) return;
    this.#byHolder.delete(holder);
    const holders = this.#holders.get(classid);
    holders?.delete(holder);
    if (holders && holders.size > 0) return;
    this.#holders.delete(classid);
    this.pool?.setTaken(classid, false);
  }

  /**
   * A class for a container: the one it asks for, else the lowest that is free.
   * @throws NO_FREE_HANDLES, HANDLE_IN_USE, HANDLE_NOT_IN_POOL
   */
  allocate(pool: HandlePool, id: string, wanted?: number): number {
    if (wanted !== undefined) this.#requireFree(pool, id, wanted);
    const classid = wanted ?? pool.lowestFree();
    if (classid === undefined) throw errors.NO_FREE_HANDLES(id, pool.primaries, pool.total);
    this.hold(id, classid);
    return classid;
  }

  isFree(classid: number): boolean {
    return !this.#holders.has(classid);
  }

  #requireFree(pool: HandlePool, id: string, classid: number): void {
    if (!pool.has(classid)) throw errors.HANDLE_NOT_IN_POOL(id, classid);
    const [holder] = this.#holders.get(classid) ?? [];
    if (holder !== undefined && holder !== id) throw errors.HANDLE_IN_USE(id, classid, holder);
  }
}
