import type { ContainerProcess, LauncherState } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { killTree, type Tree } from './process-tree.js';

export interface Leader {
  readonly pid: number;
  /** Resolves with the raw status of wait(2) once it has ended; undefined if nobody can tell. */
  readonly ended: Promise<number | undefined>;
  /** False once its number may be another process's. */
  isAlive(): boolean;
}

export interface PosixProcessParts {
  readonly id: string;
  readonly leader: Leader;
  readonly tree: Tree;
  readonly state: LauncherState;
  /** Opens the gate; nothing for a process that was taken up again. */
  release?(): Promise<void>;
  close(): void;
}

/** A container of the launcher posix. */
export class PosixProcess implements ContainerProcess {
  readonly pid: number;
  readonly state: LauncherState;
  readonly exited: Promise<number | undefined>;
  readonly #parts: PosixProcessParts;
  #sweeping: Promise<void> | undefined;

  constructor(parts: PosixProcessParts) {
    this.#parts = parts;
    this.pid = parts.leader.pid;
    this.state = parts.state;
    this.exited = this.#exit();
  }

  async release(): Promise<void> {
    await this.#parts.release?.();
  }

  signal(signal: number): boolean {
    if (!this.#parts.leader.isAlive()) return false;
    try {
      process.kill(this.pid, signal);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  destroy(): Promise<void> {
    this.#sweeping ??= this.#sweep().catch((error) => {
      this.#sweeping = undefined; // to be tried again
      throw error;
    });
    return this.#sweeping;
  }

  close(): void {
    this.#parts.close();
  }

  /** What the leader left behind ends with it. What resists is told by `destroy`, which follows. */
  async #exit(): Promise<number | undefined> {
    const status = await this.#parts.leader.ended;
    await this.destroy().catch(() => {});
    return status;
  }

  async #sweep(): Promise<void> {
    const { id, leader, tree } = this.#parts;
    const survivors = await killTree(tree);
    if (survivors.length > 0) throw coreErrors.POSIX_SURVIVORS(id, survivors);
    await leader.ended;
  }
}
