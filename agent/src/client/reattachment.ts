/** `attach` when its agent is gone, which the container outlives: for a while it looks for the next one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isCaissonError, messageOf } from '@caisson/plugin-sdk';
import { say } from '../say.js';
import type { AgentClient } from './agent-client.js';
import type { Connection, Outcome } from './connection.js';
import type { ContinuedOutput } from './continued-output.js';
import { clientErrors, isAway } from './errors.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;

type Stream = Awaited<ReturnType<ContinuedOutput['open']>>;

export interface ReattachmentOptions {
  /** 0 ms: not at all. */
  readonly within: { readonly ms: number; readonly shown: string };
  readonly isTerminal: boolean;
  /** The keys that leave it meanwhile. */
  readonly leaveBy: string | undefined;
}

export class Reattachment {
  constructor(
    private readonly client: AgentClient,
    private readonly connection: Connection,
    private readonly output: ContinuedOutput,
    private readonly options: ReattachmentOptions,
  ) {}

  /**
   * After what ended a connection: the output from where it broke off, or how the caller left meanwhile.
   * @throws the same, if it is not that the agent is away; INPUT_ON_ITS_WAY, AGENT_STAYS_AWAY; what the next agent says
   */
  async after(error: unknown): Promise<Stream | Outcome> {
    const { ms } = this.options.within;
    if (ms === 0 || !isAway(error)) throw error;
    const began = performance.now();
    this.#say(`${messageOf(error)}; attaching again once there is an agent${this.#howToLeave()}`);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const left = await Promise.race([sleep(pause), this.connection.left]);
      if (left) return left;
      this.#requireInput();
      const elapsedMs = performance.now() - began;
      try {
        return await this.#attachAgain(elapsedMs);
      } catch (problem) {
        if (!isAway(problem)) throw problem;
        if (elapsedMs < ms) continue;
        throw clientErrors.AGENT_STAYS_AWAY(this.client.shown, this.options.within.shown, messageOf(problem));
      }
    }
  }

  async #attachAgain(elapsedMs: number): Promise<Stream> {
    const seconds = (elapsedMs / 1000).toFixed(1);
    try {
      const stream = await this.output.open();
      this.connection.reconnect();
      this.#say(`attached again after ${seconds} s`);
      return stream;
    } catch (error) {
      if (!isCaissonError(error) || error.code !== 'CONTAINER_GONE') throw error;
      this.#say(`an agent is there after ${seconds} s; the container has ended meanwhile`);
      return this.output.rest();
    }
  }

  /** A person sees what is missing; of what is piped nobody would notice a hole. */
  #requireInput(): void {
    const { lostBytes } = this.connection;
    if (lostBytes > 0 && !this.options.isTerminal)
      throw clientErrors.INPUT_ON_ITS_WAY(this.client.shown, lostBytes);
  }

  #howToLeave(): string {
    const { leaveBy, within } = this.options;
    return `, for ${within.shown}${leaveBy === undefined ? '' : ` (${leaveBy} leaves; other keys are lost)`}`;
  }

  #say(text: string): void {
    // The caller's terminal is raw, and his cursor somewhere in a line.
    const newline = this.options.isTerminal && process.stdin.isTTY ? '\r\n' : '\n';
    say(`${newline === '\n' ? '' : newline}caisson: ${text}${newline}`);
  }
}
