import type { Program } from '@caisson/linux/exec-stage';
import { type ForkServer, KEPT, type LaunchKind } from './fork-server.js';

/** How long nothing was launched, and nothing has ended: preparing a launch takes most of a millisecond of a processor. */
const QUIET_MS = 3;

/**
 * The fork server of a launcher, and when it prepares launches to come: while nobody waits for one, nor for what one has started.
 * Only where nothing is ready for the next launch of a kind, that is prepared at once.
 */
export class ComingLaunches {
  readonly #kinds = new Map<Program, LaunchKind>();
  #server: ForkServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Launches since it was quiet. */
  #inARow = 0;

  constructor(private readonly start: () => ForkServer) {}

  /** Undefined until it was worth starting it. */
  get server(): ForkServer | undefined {
    return this.#server;
  }

  /**
   * A command runs that could be forked.
   * @param kind  of its launch, if the fork server has made it
   */
  executed(kind: LaunchKind | undefined): void {
    if (kind) this.#kinds.set(kind.program, kind);
    this.#inARow += 1;
    // While the command runs: whoever launches one after another waits for nothing else meanwhile. For the first ones all was
    // prepared while it was quiet: to prepare more beside them would only slow them down.
    if (this.#inARow > KEPT) this.#replenish(kind);
    this.#onceQuiet();
  }

  /** It has ended. */
  ended(kind: LaunchKind | undefined): void {
    this.#replenish(kind);
    this.#onceQuiet();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#server?.end();
    this.#server = undefined;
  }

  /** Whoever waits for what was executed or has ended is told first. */
  #replenish(kind: LaunchKind | undefined): void {
    if (kind && this.#server?.isReadyFor(kind) === false) setImmediate(() => this.#prepare([kind], 1));
  }

  #onceQuiet(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => this.#prepareAll(), QUIET_MS).unref();
    this.#timer.refresh();
  }

  #prepareAll(): void {
    const kinds = [...this.#kinds.values()];
    this.#inARow = 0;
    this.#kinds.clear();
    this.#prepare(kinds);
  }

  #prepare(kinds: readonly LaunchKind[], most?: number): void {
    if (this.#closed) return;
    try {
      if (this.#server?.alive === false) {
        this.#server.end();
        this.#server = undefined;
      }
      this.#server ??= this.start();
      for (const kind of kinds) this.#server.prepare(kind, most);
    } catch {
      // The next launch spawns its own supervisor, and says what is wrong.
    }
  }
}
