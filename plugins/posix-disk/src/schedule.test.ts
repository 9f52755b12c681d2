import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Schedule, type ScheduleSettings, type Task } from './schedule.js';

/** A measurement that ends when told, or when it is aborted. */
class ManualTask implements Task {
  runs = 0;
  aborted = 0;
  pace: boolean[] = [];
  #end: (() => void) | undefined;
  #changed: (() => void)[] = [];

  constructor(
    private readonly journal: string[] = [],
    readonly name = 'task',
  ) {}

  get isRunning(): boolean {
    return this.#end !== undefined;
  }

  onPaceChanged(isSlow: boolean): void {
    this.pace.push(isSlow);
  }

  async measure(signal: AbortSignal): Promise<void> {
    this.runs += 1;
    this.journal.push(this.name);
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      signal.addEventListener('abort', () => {
        this.aborted += 1;
        resolve();
      });
      for (const tell of this.#changed.splice(0)) tell();
    });
    this.#end = undefined;
  }

  finish(): void {
    this.#end?.();
  }

  async started(): Promise<void> {
    while (!this.isRunning) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }
}

/** One that takes a time, or until it is aborted. */
class TimedTask extends ManualTask {
  constructor(
    private readonly ms: number,
    journal?: string[],
    name?: string,
  ) {
    super(journal, name);
  }

  override async measure(signal: AbortSignal): Promise<void> {
    const timer = setTimeout(() => this.finish(), this.ms);
    await super.measure(signal);
    clearTimeout(timer);
  }
}

let open: Schedule[] = [];
afterEach(async () => {
  await Promise.all(open.map((each) => each.close()));
  open = [];
});

function schedule(more: Partial<ScheduleSettings> = {}): Schedule {
  const made = new Schedule({ intervalMs: 100_000, parallel: 4, slowAfterMs: 100_000, ...more });
  open.push(made);
  return made;
}

describe('a schedule', () => {
  test('measures again and again, an interval after the end of the last time', async () => {
    const task = new TimedTask(1);
    schedule({ intervalMs: 5 }).add(task, 0);
    while (task.runs < 3) await sleep(1);
  });

  test('measures nothing that is gone before its first time', async () => {
    const task = new ManualTask();
    const it = schedule();
    await it.remove(it.add(task, 5));
    await sleep(10);
    expect(task.runs).toBe(0);
  });

  test('runs a bounded number at once, in order', async () => {
    const journal: string[] = [];
    const tasks = [1, 2, 3, 4].map((n) => new ManualTask(journal, String(n)));
    const it = schedule({ parallel: 2 });
    for (const task of tasks) it.add(task, 0);
    await tasks[1]!.started();
    await sleep(5);
    expect(journal).toEqual(['1', '2']);
    tasks[0]!.finish();
    await tasks[2]!.started();
    expect(journal).toEqual(['1', '2', '3']);
  });

  test('measures at once when asked, and tells when it is done', async () => {
    const task = new TimedTask(1);
    const it = schedule();
    const scheduled = it.add(task, 100_000);
    await it.soon(scheduled);
    expect(task.runs).toBe(1);
    await it.soon(scheduled);
    expect(task.runs).toBe(2);
  });

  test('a measurement that was under way when asked is not the one that was asked for', async () => {
    const task = new ManualTask();
    const it = schedule();
    const scheduled = it.add(task, 0);
    await task.started();
    const asked = it.soon(scheduled);
    task.finish();
    await sleep(1);
    await task.started();
    expect(task.runs).toBe(2);
    task.finish();
    await asked;
  });

  test('ends a measurement whose thing is gone, and waits for its end', async () => {
    const task = new ManualTask();
    const it = schedule();
    const scheduled = it.add(task, 0);
    await task.started();
    const asked = it.soon(scheduled);
    await it.remove(scheduled);
    expect(task.aborted).toBe(1);
    expect(task.isRunning).toBe(false);
    await asked;
    await it.soon(scheduled);
    expect(task.runs).toBe(1);
  });
});

describe('what takes long', () => {
  test('has half of the places', async () => {
    const journal: string[] = [];
    const it = schedule({ parallel: 4 });
    const slow = [1, 2, 3].map((n) => new ManualTask(journal, `slow${n}`));
    for (const task of slow) it.add(task, 0, true);
    await slow[1]!.started();
    const quick = [1, 2].map((n) => new ManualTask(journal, `quick${n}`));
    for (const task of quick) it.add(task, 0);
    await quick[1]!.started();
    expect(journal).toEqual(['slow1', 'slow2', 'quick1', 'quick2']);
  });

  test('is not starved by a crowd of quick ones either', async () => {
    const journal: string[] = [];
    const it = schedule({ parallel: 2, intervalMs: 0 });
    for (let n = 0; n < 5; n++) it.add(new TimedTask(1, [], 'quick'), 0);
    const slow = new TimedTask(1, journal, 'slow');
    it.add(slow, 0, true);
    await slow.started();
    expect(journal).toEqual(['slow']);
  });

  test('one that turns out to take long gives up its place if those of its kind are taken, and begins again', async () => {
    const journal: string[] = [];
    const it = schedule({ parallel: 2, slowAfterMs: 10 });
    const [first, second] = ['first', 'second'].map((name) => new ManualTask(journal, name)) as [
      ManualTask,
      ManualTask,
    ];
    it.add(first, 0);
    await first.started();
    it.add(second, 0);
    await second.started();
    const quick = new ManualTask(journal, 'quick');
    it.add(quick, 0);
    await quick.started();
    expect(first.isRunning).toBe(true);
    expect([first.aborted, second.aborted]).toEqual([0, 1]);
    expect([first.pace, second.pace]).toEqual([[true], [true]]);
    quick.finish();
    first.finish();
    await second.started();
    expect(journal).toEqual(['first', 'second', 'quick', 'second']);
  });

  test('is quick again once it was quick', async () => {
    const it = schedule({ slowAfterMs: 1000 });
    const task = new TimedTask(1);
    const scheduled = it.add(task, 0, true);
    await it.soon(scheduled);
    expect(task.pace).toEqual([false]);
  });

  test('two hundred slow ones do not hold up a quick one', async () => {
    const it = schedule({ parallel: 4, slowAfterMs: 5 });
    for (let n = 0; n < 200; n++) it.add(new TimedTask(10_000), 0, true);
    await sleep(20);
    const start = performance.now();
    const quick = new TimedTask(1);
    await it.soon(it.add(quick, 0));
    expect(performance.now() - start).toBeLessThan(500);
  });
});
