import type { AgentClient } from './agent-client.js';
import { isAway } from './errors.js';
import { toWire } from './messages.js';
import { outputOf, type Position, positionOf } from './process-io.js';

type Stream = AsyncGenerator<Readonly<Record<string, unknown>>>;

/** What a container writes, once more from where it broke off. */
export class ContinuedOutput {
  /** Where in the files of its sandbox we are. Undefined: the agent does not say, so what is missed cannot be asked for. */
  #position: Position | undefined;

  constructor(
    private readonly client: AgentClient,
    private readonly id: string,
  ) {}

  /** From where we are; the first time, what is written from now on. @throws what the agent says, AGENT_UNREACHABLE */
  async open(): Promise<Stream> {
    const input = { container_id: toWire(this.id), from: this.#position ?? {} };
    return this.#counted(await this.client.open('ATTACH_CONTAINER_OUTPUT', input));
  }

  /** What a container that has ended has written besides, as far as it is there to be read. */
  async *rest(): Stream {
    for (const name of ['stdout', 'stderr'] as const)
      for (let data = await this.#next(name); data !== ''; data = await this.#next(name))
        yield* this.#counted([{ type: 'DATA', data: { type: name.toUpperCase(), data } }]);
  }

  async #next(name: 'stdout' | 'stderr'): Promise<string> {
    const offset = this.#position?.[name];
    if (offset === undefined) return '';
    const path = `/containers/${this.id}/${name}`;
    try {
      return (await this.client.call<{ data: string }>('READ_FILE', { path, offset })).data;
    } catch (error) {
      if (isAway(error)) throw error;
      return ''; // a container may do with its sandbox what it likes
    }
  }

  async *#counted(
    stream: AsyncIterable<Readonly<Record<string, unknown>>> | Iterable<Readonly<Record<string, unknown>>>,
  ): Stream {
    for await (const record of stream) {
      const begins = positionOf(record);
      if (begins) this.#position = { ...this.#position, ...begins };
      const piece = outputOf(record);
      const name = piece?.isError ? 'stderr' : 'stdout';
      if (piece && this.#position) this.#position[name] = (this.#position[name] ?? 0) + piece.data.length;
      yield record;
    }
  }
}
