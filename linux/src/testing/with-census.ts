import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { listProcesses } from '../proc/process-stat.js';
import { reapChild } from '../process/reaper.js';
import { PR } from '../syscalls/flags.js';
import { prctl } from '../syscalls/processes.js';
import { type Census, type CensusOptions, compareCensus, takeCensus } from './census.js';
import { SLOWNESS } from './slowness.js';

export interface WithCensusOptions extends CensusOptions {
  /**
   * The test kills programs whose children we inherit: reap them, as init would. Without it a zombie is a leak, since
   * nobody else should have left one.
   */
  readonly reapOrphans?: boolean;
  /** How long the kernel may take to finish with what ends (dying processes, mounts). Default 2000, by `SLOWNESS`. */
  readonly patienceMs?: number;
}

let ready: Promise<void> | undefined;

/** Becomes a subreaper, and makes Node open what it opens on first use: it would look like a leak. */
function prepare(): Promise<void> {
  ready ??= (async () => {
    prctl(PR.PR_SET_CHILD_SUBREAPER, 1);
    await once(spawn('true', { stdio: 'ignore' }), 'exit');
  })();
  return ready;
}

const zombies = (): Set<number> =>
  new Set(
    listProcesses()
      .filter(({ ppid, state }) => ppid === process.pid && state === 'Z')
      .map(({ pid }) => pid),
  );

/**
 * Reaps our zombies that were ones a turn of the event loop ago too: Node has taken its own children by then, and would
 * never say `exit` of one that we take from it.
 */
function reapOrphans(before: ReadonlySet<number>): Set<number> {
  const now = zombies();
  for (const pid of now) if (before.has(pid)) reapChild(pid);
  return now;
}

/** The differences that remain once the kernel had its time. */
async function remaining(before: Census, options: WithCensusOptions): Promise<string[]> {
  const deadline = performance.now() + (options.patienceMs ?? 2000 * SLOWNESS);
  let seen = new Set<number>();
  for (let pause = 1; ; pause = Math.min(2 * pause + 1, 100)) {
    const differences = compareCensus(before, takeCensus(options));
    if (differences.length === 0 || performance.now() > deadline) return differences;
    await sleep(pause);
    if (options.reapOrphans) seen = reapOrphans(seen);
  }
}

function failOn(differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw new Error(`census: not as before (+ appeared, - gone):\n  ${differences.join('\n  ')}`);
}

/** Runs `body`, and fails if anything is left of what it did. */
export async function withoutTrace<T>(
  body: () => Promise<T> | T,
  options: WithCensusOptions = {},
): Promise<T> {
  await prepare();
  const before = takeCensus(options);
  const result = await body();
  failOn(await remaining(before, options));
  return result;
}

interface TestGlobals {
  beforeEach(hook: () => Promise<void>): void;
  afterEach(hook: () => Promise<void>, timeoutMs?: number): void;
}

/**
 * Takes a census before each test and fails the test that leaves something behind. Call it at the top of the file, and
 * put hooks that clean up into a `describe`: Jest runs the inner ones first.
 */
export function withCensus(options: WithCensusOptions = {}): void {
  const { beforeEach, afterEach } = globalThis as unknown as TestGlobals;
  let before: Census = [];
  beforeEach(async () => {
    await prepare();
    before = takeCensus(options);
  });
  afterEach(async () => failOn(await remaining(before, options)), 10_000 * SLOWNESS);
}
