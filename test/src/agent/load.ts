/** Launches, waits, kills, removals and nested containers, many at a time, until the agent is gone. */

import { setTimeout as sleep } from 'node:timers/promises';
import { readStat } from '@caisson/linux/proc';
import { wire } from './api.js';
import { type Entry, type Ledger, type Outcome, processOf } from './ledger.js';
import type { Random } from './random.js';
import type { RealAgent } from './real-agent.js';

const WORKERS = 6;
/** What is alive, and what is remembered, at most: a round stays short. */
const MOST_ALIVE = 14;
const MOST_KNOWN = 40;

type Step = 'launch' | 'kill' | 'remove' | 'wait';
/** As often as they are in the list. */
const STEPS: readonly Step[] = [
  'launch',
  'launch',
  'launch',
  'kill',
  'kill',
  'wait',
  'wait',
  'remove',
  'remove',
];

export class Load {
  /** Answers that were not right: refused, or a wrong status. */
  readonly problems: string[] = [];
  answered = 0;
  /** Killed beside the agent. */
  supervisors = 0;
  /** A connection broke, or was refused. */
  isBroken = false;
  #isOver = false;
  readonly #waiting = new Set<Promise<void>>();

  constructor(
    private readonly agent: RealAgent,
    private readonly ledger: Ledger,
    private readonly random: Random,
  ) {}

  /** Resolves once the agent no longer answers, or after `end`. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work()));
    await Promise.all(this.#waiting);
  }

  end(): void {
    this.#isOver = true;
  }

  async #work(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#step();
      } catch {
        this.isBroken = true; // the agent was killed
        this.#isOver = true;
      }
    }
  }

  async #step(): Promise<void> {
    const step = this.random.pick(STEPS);
    const done = step === 'launch' ? this.#launch() : step === 'wait' ? this.#wait() : this.#change(step!);
    // Nothing to do it to: another turn.
    await (done ?? sleep(1));
  }

  get #known(): Entry[] {
    return [...this.ledger.entries.values()];
  }

  #launch(): Promise<void> | undefined {
    const alive = this.#known.filter(({ waited }) => waited === undefined);
    if (alive.length >= MOST_ALIVE || this.ledger.entries.size >= MOST_KNOWN) return undefined;
    const parents = alive.filter((each) => !each.isDebug && !each.isBusy && this.ledger.isSafe(each));
    const parent = this.random.next() < 0.35 ? this.random.pick(parents) : undefined;
    const isDebug = parent !== undefined && this.random.next() < 0.3;
    const exitCode = this.random.next() < 0.5 ? undefined : this.random.below(256);
    const entry = this.ledger.add(exitCode, parent, isDebug);
    return this.#launchOf(entry);
  }

  async #launchOf(entry: Entry): Promise<void> {
    const pause = this.random.pick(['', 'sleep 0.03; ', 'sleep 0.1; ']);
    const script = entry.exitCode === undefined ? 'exec sleep 1000' : `${pause}exit ${entry.exitCode}`;
    const config = {
      argv: ['sh', '-c', script],
      ...(entry.isDebug && { class: 'DEBUG' }),
      ...(entry.parent && !entry.isDebug && { sharePidNamespace: this.random.next() < 0.5 }),
    };
    const { status, body } = await this.#ask('LAUNCH_CONTAINER', { container_id: wire(entry.id), config });
    if (status !== 200) {
      // A nested one: its parent may have been killed meanwhile.
      if (!entry.parent || this.ledger.isSafe(entry.parent)) this.#report(entry, 'launch', status, body);
      this.ledger.entries.delete(entry.id);
      return;
    }
    entry.launch = 'answered';
    entry.isBusy = false;
    if (entry.exitCode === undefined) await this.#notePid(entry);
  }

  async #notePid(entry: Entry): Promise<void> {
    const { body } = await this.#ask('GET_CONTAINER', { container_id: wire(entry.id) });
    if (this.ledger.isSafe(entry)) entry.process = processOf(body.pid);
  }

  #change(step: 'kill' | 'remove'): Promise<void> | undefined {
    const isFit = (entry: Entry): boolean => {
      const family = [entry, ...this.ledger.around(entry), ...this.ledger.nestedIn(entry)];
      if (family.some(({ isBusy }) => isBusy)) return false;
      return step === 'kill' ? this.ledger.isSafe(entry) : entry.waited !== undefined;
    };
    const entry = this.random.pick(this.#known.filter(isFit));
    if (!entry) return undefined;
    entry.isBusy = true;
    if (step === 'remove') return this.#remove(entry);
    return this.random.next() < 0.3 && this.#killSupervisor(entry) ? undefined : this.#kill(entry);
  }

  /** False: its process is not known. */
  #killSupervisor(entry: Entry): boolean {
    const supervisor = readStat(Number.parseInt(entry.process ?? '0', 10))?.ppid;
    // An orphan's parent is the test.
    if (!supervisor || supervisor === process.pid) return false;
    entry.kill = 'answered';
    entry.isUnsupervised = true;
    entry.isBusy = false;
    process.kill(supervisor, 'SIGKILL');
    this.supervisors += 1;
    return true;
  }

  async #kill(entry: Entry): Promise<void> {
    entry.kill = 'asked' satisfies Outcome;
    const { status, body } = await this.#ask('KILL_CONTAINER', { container_id: wire(entry.id) });
    // A nested one may have ended with its parent.
    if (status !== 200 && !entry.parent) this.#report(entry, 'kill', status, body);
    entry.kill = 'answered';
    entry.isBusy = false;
  }

  async #remove(entry: Entry): Promise<void> {
    const family = [entry, ...this.ledger.nestedIn(entry)];
    for (const each of family) each.removal = 'asked';
    const { status, body } = await this.#ask('REMOVE_CONTAINER', { container_id: wire(entry.id) });
    if (status !== 200) return this.#report(entry, 'remove', status, body);
    for (const each of family) each.removal = 'answered';
    this.ledger.forget(entry);
  }

  /** Goes on beside the others: who sleeps ends when another worker kills it. */
  #wait(): Promise<void> | undefined {
    const entry = this.random.pick(
      this.#known.filter((each) => each.launch === 'answered' && !each.isBusy && each.waited === undefined),
    );
    if (!entry || this.#waiting.size >= 2 * WORKERS) return undefined;
    const waiting = this.#waitOf(entry)
      .catch(() => {})
      .finally(() => this.#waiting.delete(waiting));
    this.#waiting.add(waiting);
    return Promise.resolve();
  }

  async #waitOf(entry: Entry): Promise<void> {
    const { status, body } = await this.#ask('WAIT_CONTAINER', { container_id: wire(entry.id) });
    // Two may wait for one, and the other one's answer may have had it removed.
    if (status === 404 && entry.removal !== 'not asked') return;
    const wrong = status === 200 ? this.ledger.problemOfStatus(entry, body.exit_status) : `status ${status}`;
    if (wrong) this.problems.push(`wait for ${entry.id}: ${wrong} ${JSON.stringify(body)}`);
    else entry.waited = body;
  }

  async #ask(type: string, input: object) {
    const reply = await this.agent.api.call(type, input);
    this.answered += 1;
    return reply;
  }

  #report(entry: Entry, step: Step, status: number, body: unknown): void {
    this.problems.push(`${step} of ${entry.id}: ${status} ${JSON.stringify(body)}`);
  }
}
