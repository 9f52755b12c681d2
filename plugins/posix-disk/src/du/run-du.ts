import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { DuOutput, type DuQuestion, duArguments, unitOf } from './arguments.js';
import { Complaints } from './complaints.js';

/** What du has found, and why that may not be all. */
export interface DuAnswer {
  /** Bytes or files. */
  readonly amount: number;
  readonly problem: string | undefined;
}

export interface DuRun {
  /** Settles with the end of du, or shortly after it was to end. Rejects if it has found nothing. */
  readonly answer: Promise<DuAnswer>;
  /** False for one that hangs in the kernel (a dead network filesystem), also after its time. */
  isGone(): boolean;
}

export interface DuLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** How long it may take to die. */
  readonly killMs?: number;
}

const LOWEST_PRIORITY = 19;
const KILL_MS = 5000;

/** Only what du needs: other variables change its units and its language. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/bin:/bin' };

/** Why it was ended before it was through. */
type Cut = 'timeout' | 'abort';

/**
 * Runs du in a directory, without a shell, in a process group of its own that is killed as a whole, at the lowest
 * priority (rule D1; on Linux the priority of disk access follows). Its output ends with this process: should the agent be
 * killed, du is at its next write.
 *
 * @param directory  a path that leads to it whatever becomes of its name
 */
export function runDu(program: string, question: DuQuestion, directory: string, limits: DuLimits): DuRun {
  limits.signal.throwIfAborted();
  const child = spawn(program, duArguments(question), {
    cwd: directory,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  lowerPriority(child);
  const output = new DuOutput(question.flavour);
  const complaints = new Complaints();
  child.stdout?.on('data', (chunk: Buffer) => output.add(chunk));
  child.stderr?.on('data', (chunk: Buffer) => complaints.add(chunk));
  let isGone = false;
  const ended = endOf(child).then((failure) => {
    isGone = true;
    return failure;
  });
  const answer = cutOff(child, ended, limits).then(({ cut, failure }) => {
    if (cut === 'abort') throw limits.signal.reason;
    const problem = problemOf(cut, failure, complaints, limits.timeoutMs);
    if (output.records === 0) throw new Error(problem ?? 'du has told nothing');
    return { amount: output.sum * unitOf(question), problem };
  });
  return { answer, isGone: () => isGone };
}

function lowerPriority({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, LOWEST_PRIORITY);
  } catch {
    // It has ended already.
  }
}

/** Undefined, or why there was no process, or what ended it. Never rejects. */
const endOf = (child: ChildProcess): Promise<string | undefined> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ? `du was ended by ${signal}` : exitProblem(code)));
  });

/** 1 is its usual end where anything at all could not be read: what that was it has said. */
const exitProblem = (code: number | null): string | undefined =>
  code === 0 || code === 1 ? undefined : `du ended with ${code}`;

/** Waits for the end, or brings it about. */
function cutOff(
  child: ChildProcess,
  ended: Promise<string | undefined>,
  { timeoutMs, signal, killMs = KILL_MS }: DuLimits,
): Promise<{ cut: Cut | undefined; failure: string | undefined }> {
  return new Promise((resolve) => {
    let cut: Cut | undefined;
    let patience: NodeJS.Timeout | undefined;
    const kill = (why: Cut): void => {
      if (cut) return;
      cut = why;
      killGroup(child);
      patience = setTimeout(() => resolve({ cut, failure: 'du does not end' }), killMs);
    };
    const abort = () => kill('abort');
    const timer = setTimeout(() => kill('timeout'), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    ended.then((failure) => {
      clearTimeout(timer);
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
      resolve({ cut, failure });
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function problemOf(
  cut: Cut | undefined,
  failure: string | undefined,
  complaints: Complaints,
  timeoutMs: number,
): string | undefined {
  if (cut === 'timeout')
    return `du was not through after ${timeoutMs / 1000} seconds: there is at least so much`;
  return failure ?? complaints.first;
}
