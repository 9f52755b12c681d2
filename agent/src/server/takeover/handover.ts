/**
 * Where requests are answered while one agent follows another, without one of them being refused.
 *
 * `here` until somebody asks for the containers. Then new requests are held; what is under way is finished; those that
 * last (a wait, a stream) are taken out of the agent's hands; the containers are let go. `there` once the successor
 * serves: what was held, what lasts and what still comes on old connections is passed on to it. If it dies before it
 * serves, the containers are taken back, and everything is answered `here` again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { apiErrors } from '../errors.js';
import { passOn, Successor } from './successor.js';

/** How long what is under way may take, or the agent keeps its containers. */
const FINISHED_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 10;

/** A request that may last for as long as it likes. */
export interface Lasting {
  /** It is taken out of the hands of who answers it here, or given back. */
  readonly claimed: (isClaimed: boolean) => void;
  /** What the successor is asked instead. Default: the same. */
  readonly continued: () => string | AsyncIterable<Buffer> | undefined;
}

/**
 * Sends the answer, or returns what is to be sent. Not at once: by the time that it is known, another agent may have been
 * asked for it.
 */
export type Answer = () => unknown;

/** What an agent does when its turn comes. */
export interface Possessions {
  /** Of the successor, while it does not serve yet. */
  readonly nextSocket: string;
  /** Where it will serve. */
  readonly socket: string;
  /** Takes nothing more of what containers write. */
  fallSilent(): Promise<void>;
  letGo(): Promise<void>;
  takeBack(): Promise<void>;
  /** Whether somebody else is at `socket` by now. */
  isReplaced(): boolean;
}

export class Handover {
  /** Settled once it is known where requests are answered; undefined while that is certain. */
  #deciding: Promise<void> | undefined;
  #successor: Successor | undefined;
  #underWay = 0;
  #wake: () => void = () => {};
  readonly #lasting = new Set<() => void>();
  #resolveReplaced!: () => void;
  /** Resolves once a successor serves. */
  readonly replaced = new Promise<void>((resolve) => {
    this.#resolveReplaced = resolve;
  });

  get isHere(): boolean {
    return this.#deciding === undefined && this.#successor === undefined;
  }

  /** Holds requests until `arrival` has settled: this agent is the successor, and does not serve yet. */
  hold(arrival: Promise<unknown>): void {
    const decided = () => {
      this.#deciding = undefined;
    };
    this.#deciding = arrival.then(decided, decided);
  }

  /** Answers a request where requests are answered now. */
  async serve(
    request: FastifyRequest,
    reply: FastifyReply,
    here: () => Promise<Answer>,
    lasting?: Lasting,
  ): Promise<unknown> {
    for (;;) {
      if (this.#deciding) await this.#deciding;
      if (this.#successor) return passOn(this.#successor, request, reply, lasting?.continued());
      const result = await (lasting ? this.#untilMoved(here, lasting) : this.#finished(here));
      if (result) return result();
    }
  }

  /** Calls back when the containers are let go; returns what ends that. */
  onMoved(callback: () => void): () => void {
    this.#lasting.add(callback);
    return () => this.#lasting.delete(callback);
  }

  /** Who goes on with what lasts; undefined: this agent, which has its containers back. */
  async successor(): Promise<Successor | undefined> {
    await this.#deciding;
    return this.#successor;
  }

  /** Lets the containers go; the caller is their next owner. @throws HANDOVER_REFUSED */
  async begin(possessions: Possessions): Promise<void> {
    if (!this.isHere) throw apiErrors.HANDOVER_REFUSED('another agent is taking them over');
    if (!(await Successor.answers(possessions.nextSocket)))
      throw apiErrors.HANDOVER_REFUSED(`nobody listens at ${possessions.nextSocket}`);
    let decide!: () => void;
    this.hold(new Promise<void>((resolve) => (decide = resolve)));
    try {
      await this.#idle();
      await possessions.fallSilent();
      for (const moved of [...this.#lasting]) moved();
      await possessions.letGo();
    } catch (error) {
      decide();
      throw error;
    }
    void this.#watch(possessions).finally(decide);
  }

  /** Until the successor serves or is dead. */
  async #watch({ socket, nextSocket, isReplaced, takeBack }: Possessions): Promise<void> {
    while (!isReplaced()) {
      await sleep(LOOK_EVERY_MS);
      if (isReplaced() || (await Successor.answers(nextSocket)) || isReplaced()) continue;
      return takeBack();
    }
    this.#successor = new Successor(socket);
    this.#resolveReplaced();
  }

  async #finished(here: () => Promise<Answer>): Promise<Answer> {
    this.#underWay += 1;
    try {
      return await here();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#wake();
    }
  }

  async #idle(): Promise<void> {
    if (this.#underWay === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<true>((resolve) => {
      timer = setTimeout(resolve, FINISHED_WITHIN_MS, true);
    });
    const idle = new Promise<false>((resolve) => {
      this.#wake = () => resolve(false);
    });
    const isLate = await Promise.race([idle, late]);
    clearTimeout(timer);
    if (isLate) throw apiErrors.HANDOVER_REFUSED(`${this.#underWay} requests take too long`);
  }

  /** Undefined: the containers were let go first. */
  #untilMoved(here: () => Promise<Answer>, lasting: Lasting): Promise<Answer | undefined> {
    lasting.claimed(false);
    return new Promise((resolve, reject) => {
      const stop = this.onMoved(() => {
        lasting.claimed(true);
        resolve(undefined);
      });
      here().then(resolve, reject).finally(stop);
    });
  }
}
