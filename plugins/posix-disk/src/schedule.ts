/**
 * When what is measured: each thing again and again, an interval after the end of the last time; a bounded number at
 * once. Those that take long have half of the places, and others never wait for them: one that turns out to take long
 * gives up its place if all places of its kind are taken, and begins again among its like.
 */
export interface ScheduleSettings {
  readonly intervalMs: number;
  /** How many at once; at least 2. */
  readonly parallel: number;
  /** What takes longer is slow. */
  readonly slowAfterMs: number;
}

export interface Task {
  /** Measures once; must end soon when aborted. Failures are its own concern: it does not reject. */
  measure(signal: AbortSignal): Promise<void>;
  /** It has become slow, or quick again: worth remembering over a restart. */
  onPaceChanged?(isSlow: boolean): void;
}

/** Why a measurement was aborted: it is not the measured thing that ends. */
const GIVE_WAY = Symbol('give way to quicker ones');

/** Something that is measured again and again. */
export class Scheduled {
  timer: NodeJS.Timeout | undefined;
  run: Run | undefined;
  isRemoved = false;
  waiting: (() => void)[] = [];

  constructor(
    readonly task: Task,
    public isSlow: boolean,
  ) {}
}

interface Run {
  readonly controller: AbortController;
  /** Never rejects. */
  readonly ended: Promise<void>;
}

export class Schedule {
  readonly #queues = { quick: [] as Scheduled[], slow: [] as Scheduled[] };
  readonly #running = new Set<Scheduled>();
  readonly #all = new Set<Scheduled>();

  constructor(private readonly settings: ScheduleSettings) {}

  /** @param firstInMs  not at once: whatever is gone by then costs nothing */
  add(task: Task, firstInMs: number, isSlow = false): Scheduled {
    const scheduled = new Scheduled(task, isSlow);
    this.#all.add(scheduled);
    this.#later(scheduled, firstInMs);
    return scheduled;
  }

  /** Measures as soon as there is a place. Resolves when a measurement that began after this call has ended, or never will. */
  soon(scheduled: Scheduled): Promise<void> {
    if (scheduled.isRemoved) return Promise.resolve();
    return new Promise((resolve) => {
      scheduled.waiting.push(resolve);
      if (scheduled.run === undefined && scheduled.timer !== undefined) this.#enqueue(scheduled);
    });
  }

  /** No measurement after this; one under way is aborted, and has ended when this resolves. */
  async remove(scheduled: Scheduled): Promise<void> {
    this.#all.delete(scheduled);
    scheduled.isRemoved = true;
    clearTimeout(scheduled.timer);
    for (const queue of Object.values(this.#queues)) {
      const at = queue.indexOf(scheduled);
      if (at >= 0) queue.splice(at, 1);
    }
    for (const resolve of scheduled.waiting.splice(0)) resolve();
    scheduled.run?.controller.abort();
    await scheduled.run?.ended;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((each) => this.remove(each)));
  }

  #later(scheduled: Scheduled, ms: number): void {
    // Whoever only waits for a measurement may exit.
    scheduled.timer = setTimeout(() => this.#enqueue(scheduled), ms).unref();
  }

  #enqueue(scheduled: Scheduled): void {
    clearTimeout(scheduled.timer);
    scheduled.timer = undefined;
    this.#queues[scheduled.isSlow ? 'slow' : 'quick'].push(scheduled);
    this.#fill();
  }

  /** Starts what has a place. */
  #fill(): void {
    for (let next = this.#next(); next; next = this.#next()) this.#start(next);
  }

  #next(): Scheduled | undefined {
    const { quick, slow } = this.#queues;
    const { parallel } = this.settings;
    if (this.#running.size >= parallel) return undefined;
    const slowRunning = this.#slowRunning();
    const quickRunning = this.#running.size - slowRunning;
    const slowMayStart = slow.length > 0 && slowRunning < this.#slowPlaces;
    const placesOfQuick = slow.length > 0 ? parallel - this.#slowPlaces : parallel;
    if (quick.length > 0 && quickRunning < placesOfQuick) return quick.shift();
    return slowMayStart ? slow.shift() : undefined;
  }

  #slowRunning(): number {
    return [...this.#running].filter(({ isSlow }) => isSlow).length;
  }

  get #slowPlaces(): number {
    return Math.floor(this.settings.parallel / 2);
  }

  #start(scheduled: Scheduled): void {
    const controller = new AbortController();
    const waiting = scheduled.waiting.splice(0);
    const start = performance.now();
    const slowTimer = setTimeout(() => this.#turnsSlow(scheduled, controller), this.settings.slowAfterMs);
    this.#running.add(scheduled);
    const ended = scheduled.task.measure(controller.signal).then(() => {
      clearTimeout(slowTimer);
      this.#end(scheduled, waiting, performance.now() - start, controller.signal);
    });
    scheduled.run = { controller, ended };
  }

  #turnsSlow(scheduled: Scheduled, controller: AbortController): void {
    this.#pace(scheduled, true);
    if (this.#slowRunning() > this.#slowPlaces) controller.abort(GIVE_WAY);
    else this.#fill();
  }

  #end(scheduled: Scheduled, waiting: (() => void)[], ms: number, { aborted, reason }: AbortSignal): void {
    this.#running.delete(scheduled);
    scheduled.run = undefined;
    const gaveWay = aborted && reason === GIVE_WAY;
    if (scheduled.isRemoved) for (const resolve of waiting) resolve();
    else if (gaveWay) {
      scheduled.waiting.unshift(...waiting);
      this.#enqueue(scheduled);
    } else {
      this.#pace(scheduled, ms > this.settings.slowAfterMs);
      for (const resolve of waiting) resolve();
      if (scheduled.waiting.length > 0) this.#enqueue(scheduled);
      else this.#later(scheduled, this.settings.intervalMs);
    }
    this.#fill();
  }

  #pace(scheduled: Scheduled, isSlow: boolean): void {
    if (scheduled.isSlow === isSlow) return;
    scheduled.isSlow = isSlow;
    scheduled.task.onPaceChanged?.(isSlow);
  }
}
