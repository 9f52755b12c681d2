import type { Container, ResolvedUser } from './container.js';
import type { ContainerConfig } from './container-config.js';
import type { LaunchPlan } from './plan/launch-plan.js';

/** What a launcher must remember of a process to take it up again after a restart: JSON. */
export type LauncherState = Readonly<Record<string, unknown>>;

/** The agent's side of a container's terminal. */
export interface ContainerTerminal {
  /** The master's descriptor, to read, non-blocking; the caller of `take` owns it. */
  take(): number;
  /**
   * Types; resolves once the terminal has taken all of it, for which the container may have to read. By no other way: a
   * write to the descriptor would wait inside the kernel. Rejects with EIO once nobody has the terminal open.
   */
  write(data: Buffer): Promise<void>;
  resize(columns: number, rows: number): void;
}

/** Takes what a container wrote out of a pipe without having it in hands: a process that is killed meanwhile loses nothing. */
export interface PipeMoves {
  /**
   * Moves what is in a pipe, a copy of `take`, to `offset` of a file that is open to write, and not to append.
   *
   * @param most  bytes
   * @returns how many bytes; 0 if there will be no more, undefined if there are none now
   * @throws what the file answers (ENOSPC, EDQUOT, EFBIG, EINVAL: its filesystem cannot): it is still in the pipe
   */
  toFile(output: number, file: number, offset: number, most: number): number | undefined;
  /** Calls back once, when there is something to move or there will be no more. Returns what ends that; idempotent. */
  onReady(output: number, callback: () => void): () => void;
}

/** The agent's side of a container's pipes. */
export interface ContainerPipes {
  /** Copies, which the caller of `take` owns. `stdin`, to write, is undefined once its end was told. */
  take(): { readonly stdin: number | undefined; readonly stdout: number; readonly stderr: number };
  /** Absent: a pipe can only be read, and what was read is lost with whoever is killed then. */
  readonly moves?: PipeMoves | undefined;
  /** Tells the container the end of its stdin, once whoever took a copy of it has closed that. Idempotent. */
  endInput(): void;
}

/** A container's first process, held at the gate until `release`. */
export interface ContainerProcess {
  /** After `release` it may be another: what joins a pid namespace is a child of what stood at the gate. */
  readonly pid: number;
  /** True while the number is its own: it has not been reaped. Absent: the launcher cannot tell. */
  readonly holdsPid?: boolean | undefined;
  /** Checkpointed by the core before the gate opens. */
  readonly state: LauncherState;
  /** Resolves, once nothing of it is left running, with the raw status of wait(2); undefined if it was lost. */
  readonly exited: Promise<number | undefined>;
  /** After `exited`: what ended it, where that was neither the container itself nor `destroy`. */
  readonly cause?: { readonly reason: string; readonly message: string } | undefined;
  /** After `exited`: an `adopt` after a restart would tell the same status, since it is on disk. */
  readonly endIsRecorded?: boolean | undefined;
  readonly terminal?: ContainerTerminal | undefined;
  readonly pipes?: ContainerPipes | undefined;
  /**
   * Opens the gate. Returns once the command was executed; throws what failed before (step, call, errno).
   * May complete synchronously: a promise costs a turn of the event loop.
   */
  release(): Promise<void> | void;
  /** Sends a signal to the first process. False if it has ended. */
  signal(signal: number): boolean;
  /** Ends every process of the container, held at the gate or running. Idempotent; rejects if something lives on. */
  destroy(): Promise<void> | void;
  /** After `exited`: gives back descriptors and what `fork` made. Idempotent. */
  close(): void;
}

/** Starts processes as a LaunchPlan says. `linux` and `posix` are launchers. */
export interface Launcher {
  /**
   * Checks what the plan cannot: user, root filesystem, ... Called before anything is created; throws on bad input.
   * Returns the user that the container will run as, if the configuration names one.
   */
  validate(config: Readonly<ContainerConfig>): ResolvedUser | undefined;
  /** Starts the first process and holds it at the gate. On a failure nothing is left. */
  fork(container: Container, plan: LaunchPlan): Promise<ContainerProcess> | ContainerProcess;
  /**
   * Takes up a process of an earlier run. One that has ended meanwhile is returned too: its `exited` is settled, with
   * the true status where it was kept, and `destroy` ends what may be left. Undefined if the state means nothing here.
   */
  adopt(
    container: Container,
    state: LauncherState,
  ): Promise<ContainerProcess | undefined> | ContainerProcess | undefined;
  /**
   * Removes what `fork` may have left of a container whose launch was cut off before its state was recorded. Called
   * by recovery; must accept a container it never saw.
   */
  forget?(container: Container): Promise<void> | void;
  /** The system calls of a plan, for people; undefined if the launcher has none to show. */
  describe?(container: Container, plan: LaunchPlan): string | undefined;
  /** Gives back what the launcher itself holds. */
  close?(): Promise<void> | void;
}
