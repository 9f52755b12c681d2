/**
 * The terminals and pipes of all containers that have some: opened while they stand at the gate, taken back after a
 * restart, drained at their end. In Mesos a process of its own for each; here the supervisor keeps them open for the
 * agent that is to come, and whoever is the agent does the work.
 */
import { type ContainerId, type Logger, messageOf } from '@caisson/plugin-sdk';
import type { Containers } from '../context.js';
import { apiErrors } from '../errors.js';
import { Board } from './board.js';
import { type Ends, endsOfPipes, endsOfTerminal } from './ends.js';
import { OutputFile } from './output-file.js';
import type { OutputName } from './process-io.js';

type Attachable = Pick<Containers, 'list' | 'onEvent' | 'inspect' | 'terminal' | 'pipes' | 'openOutput'>;

/** How many have attached to the output of which container. */
export type Attached = ReadonlyMap<ContainerId, number>;

export class Switchboard {
  readonly #boards = new Map<ContainerId, Board>();
  readonly #expected = new Map<ContainerId, (board: Board) => void>();
  readonly #stopListening: () => void;

  constructor(
    private readonly containers: Attachable,
    private readonly log: Logger,
    /** To the agent before, and who are about to come back. */
    awaited: Attached = new Map(),
  ) {
    this.#stopListening = containers.onEvent((event) => {
      if (event.type === 'state' && event.state === 'ISOLATING') this.#open(event.id);
      else if (event.type === 'ended') this.#boards.get(event.id)?.settle();
    });
    for (const { id, state } of containers.list()) if (state === 'RUNNING') this.#open(id, awaited.get(id));
  }

  /** Calls once the container stands at the gate, before it has written anything. Returns what ends that. */
  expect(id: ContainerId, opened: (board: Board) => void): () => void {
    // The second one will hear that there is a container of this name.
    if (this.#expected.has(id)) return () => {};
    this.#expected.set(id, opened);
    return () => void this.#expected.delete(id);
  }

  /** @throws CONTAINER_UNKNOWN, CONTAINER_GONE, NOT_ATTACHABLE */
  find(id: ContainerId): Board {
    const { state } = this.containers.inspect(id);
    if (state === 'ENDED') throw apiErrors.CONTAINER_GONE(id);
    const board = this.#boards.get(id) ?? this.#open(id);
    if (!board) throw apiErrors.NOT_ATTACHABLE(id);
    return board;
  }

  /** Once everything that it wrote is in its files. */
  async drained(id: ContainerId): Promise<void> {
    await this.#boards.get(id)?.finished;
  }

  get attached(): Attached {
    const all = [...this.#boards].map(([id, { attached }]) => [id, attached] as const);
    return new Map(all.filter(([, count]) => count > 0));
  }

  close(): void {
    this.#stopListening();
    for (const board of this.#boards.values()) board.close();
  }

  #open(id: ContainerId, awaited = 0): Board | undefined {
    try {
      const ends = this.#endsOf(id);
      return ends && this.#openBoard(id, ends, awaited);
    } catch (error) {
      // It is tried again when somebody attaches.
      this.log.error({ container: id, error: messageOf(error) }, 'its output cannot be taken');
      return undefined;
    }
  }

  #endsOf(id: ContainerId): Ends | undefined {
    const terminal = this.containers.terminal(id);
    if (terminal) return endsOfTerminal(terminal);
    const pipes = this.containers.pipes(id);
    return pipes && endsOfPipes(pipes);
  }

  #openBoard(id: ContainerId, ends: Ends, awaited: number): Board {
    const open = (name: OutputName) => this.containers.openOutput(id, name);
    const fileOf = (name: OutputName) => new OutputFile(id, name, open, this.log);
    const board = new Board(id, ends, fileOf, this.log);
    this.#boards.set(id, board);
    board.finished.then(() => {
      if (this.#boards.get(id) === board) this.#boards.delete(id);
    });
    if (awaited > 0) board.await(awaited);
    this.#expected.get(id)?.(board);
    // What somebody asked for to see it waits until he looks.
    if (this.containers.inspect(id).class !== 'DEBUG') board.start();
    return board;
  }
}
