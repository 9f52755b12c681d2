/**
 * What was asked of an agent and what it answered, container by container; and what must therefore be true of the agent
 * that follows a killed one: nothing that was answered is forgotten, nothing is there that nobody asked for.
 */
import { readStat } from '@caisson/linux/proc';
import { type Body, type Listed, unwire } from './api.js';

/** `asked`: no answer came, so both outcomes are right. */
export type Outcome = 'not asked' | 'asked' | 'answered';

export interface Entry {
  readonly id: string;
  readonly parent: Entry | undefined;
  /** Of class DEBUG: it ends with the agent that launched it. */
  readonly isDebug: boolean;
  /** The status with which its script exits; undefined: it sleeps until it is killed. */
  readonly exitCode: number | undefined;
  launch: Outcome;
  kill: Outcome;
  /** Its supervisor was killed: nobody may have seen with which status it ended. */
  isUnsupervised: boolean;
  removal: Outcome;
  /** `<pid>@<start time>`, once it was told. */
  process: string | undefined;
  /** What WAIT_CONTAINER answered. */
  waited: Body | undefined;
  /** Somebody is about to change it. */
  isBusy: boolean;
}

const SIGKILL = 9;

/** The process that has this pid now. */
export const processOf = (pid: number | undefined): string | undefined => {
  const stat = pid === undefined ? undefined : readStat(pid);
  return stat && stat.state !== 'Z' ? `${pid}@${stat.startTime}` : undefined;
};

export class Ledger {
  readonly entries = new Map<string, Entry>();
  #count = 0;

  add(exitCode: number | undefined, parent?: Entry, isDebug = false): Entry {
    this.#count += 1;
    const name = `c${this.#count}`;
    const entry: Entry = {
      id: parent ? `${parent.id}.${name}` : name,
      parent,
      isDebug,
      exitCode,
      launch: 'asked',
      kill: 'not asked',
      isUnsupervised: false,
      removal: 'not asked',
      process: undefined,
      waited: undefined,
      isBusy: true,
    };
    this.entries.set(entry.id, entry);
    return entry;
  }

  /** With what is nested in it. */
  forget(entry: Entry): void {
    for (const { id } of [entry, ...this.nestedIn(entry)]) this.entries.delete(id);
  }

  nestedIn(entry: Entry): Entry[] {
    return [...this.entries.values()].filter(({ id }) => id.startsWith(`${entry.id}.`));
  }

  /** What it is nested in. */
  around({ parent }: Entry): Entry[] {
    return parent ? [parent, ...this.around(parent)] : [];
  }

  /** Runs until it is killed, and nobody has tried to. */
  isSafe(entry: Entry): boolean {
    const { exitCode, kill, launch, parent } = entry;
    const isOwn = exitCode === undefined && kill === 'not asked' && launch === 'answered';
    return isOwn && (parent === undefined || this.isSafe(parent));
  }

  /**
   * Compares with what the next agent lists, settles what was in doubt, and returns what is wrong.
   *
   * @param hasDied  the agent that launched them has: what is for debugging ends with it
   */
  settle(listed: readonly Listed[], hasDied: boolean): string[] {
    const byId = new Map(listed.map((each) => [unwire(each.container_id), each]));
    const unknown = [...byId.keys()].filter((id) => !this.entries.has(id));
    const problems = unknown.map((id) => `${id} is there, and nobody asked for it`);
    for (const entry of [...this.entries.values()]) {
      entry.isBusy = false;
      const found = byId.get(entry.id);
      const problem = found ? this.#present(entry, found, hasDied) : this.#absent(entry);
      if (problem)
        problems.push(`${entry.id}: ${problem} ${JSON.stringify({ ...entry, parent: undefined, found })}`);
    }
    return problems;
  }

  #absent(entry: Entry): string | undefined {
    const mayBe = entry.launch === 'asked' || entry.removal !== 'not asked' || this.#isRemoved(entry.parent);
    this.entries.delete(entry.id);
    return mayBe ? undefined : 'its launch was answered, and it is forgotten';
  }

  #isRemoved(entry: Entry | undefined): boolean {
    return entry !== undefined && (entry.removal !== 'not asked' || this.#isRemoved(entry.parent));
  }

  #present(
    entry: Entry,
    { state, termination, container_status }: Listed,
    hasDied: boolean,
  ): string | undefined {
    if (entry.removal === 'answered') return 'its removal was answered, and it is there';
    entry.launch = 'answered';
    if (state === 'ENDED') return this.#ended(entry, termination?.exit_status, hasDied);
    if (entry.waited !== undefined) return `its end was answered, and it is ${state}`;
    if (!this.isSafe(entry)) return undefined;
    if (hasDied && entry.isDebug) return `it is ${state}, and its agent has died`;
    if (state !== 'RUNNING') return `nobody has killed it, and it is ${state}`;
    const now = processOf(container_status?.executor_pid);
    if (now === undefined) return 'it has no process';
    if (entry.process !== undefined && entry.process !== now) return `it is another process: ${now}`;
    entry.process = now;
    return undefined;
  }

  #ended(entry: Entry, status: number | undefined, hasDied: boolean): string | undefined {
    if (this.isSafe(entry) && !(hasDied && entry.isDebug)) return 'nobody has killed it, and it has ended';
    return this.problemOfStatus(entry, status);
  }

  /** A wait status that cannot be the true one. */
  problemOfStatus(entry: Entry, status: number | undefined): string | undefined {
    const { exitCode, waited, isUnsupervised } = entry;
    if (waited !== undefined && waited.exit_status !== status)
      return `it ended with ${waited.exit_status} before, and with ${status} now`;
    const possible = [
      ...(exitCode === undefined ? [] : [exitCode << 8]),
      ...(mayBeKilled(entry) ? [SIGKILL] : []),
    ];
    if (status === undefined && isUnsupervised) return undefined;
    return possible.includes(status ?? -1) ? undefined : `its status is ${status} instead of ${possible}`;
  }
}

/** Whoever sleeps ends by being killed; who exits may be killed first by the end of its parent, or of its agent. */
const mayBeKilled = ({ exitCode, parent }: Entry): boolean => exitCode === undefined || parent !== undefined;
