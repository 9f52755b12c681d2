import { closeSync, openSync, writeSync } from 'node:fs';
import type { Program } from '@caisson/linux/exec-stage';
import { MountChanges } from '@caisson/linux/proc';
import type { Reaper } from '@caisson/linux/process';
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  linkat,
  O,
  pidfdSendSignal,
  sendDescriptors,
  socketPair,
} from '@caisson/linux/syscalls';
import { awaitChild, pidfdOfChild } from './children.js';
import { openPipes, openStatus } from './descriptors.js';
import { forkServerImage, HOST_MOUNTS, REQUEST_BYTES } from './fork-server-image.js';
import { spawnImage } from './spawn-image.js';
import { STATUS_BYTES } from './steps/supervise.js';
import { WaitingPair } from './waiting-pair.js';

const SIGKILL = 9;

/** Launches of one kind differ in nothing but what fills the slots of their program. */
export interface LaunchKind {
  readonly program: Program;
  readonly flags: number;
  /** One that waits has the host's mounts, as they were when it was cloned. */
  readonly holdsHost: boolean;
}

interface Ready {
  readonly pair: WaitingPair;
  readonly status: number;
  readonly holdsHost: boolean;
}

/** Kinds of launches that are kept ready. */
const MOST_KINDS = 4;
/**
 * So many of each, so that one is ready for a launch that follows at once. Each is two processes, of some 50 KB together; to
 * make one takes about as long as to launch with it.
 */
export const KEPT = 2;

/**
 * A small process that clones supervisors for launches (`fork-server-image.ts`). Cloning it costs a fifth of what starting a
 * process from the agent does, which is what a launch waited for longest; and the next supervisor and its first process are
 * cloned before there is a launch for them.
 */
export class ForkServer {
  /** The one that is longest unused first; none of which nothing is ready. */
  readonly #ready = new Map<Program, Ready[]>();
  readonly #launches = new WeakMap<Program, number>();
  #alive = true;
  #ended = false;

  private constructor(
    readonly pid: number,
    private readonly pidfd: number,
    private readonly socket: number,
    private readonly mounts: MountChanges,
    private readonly reaper: Reaper,
    private readonly runtimeDir: string,
  ) {}

  /**
   * @param runtimeDir      where status files will be
   * @param imageDirectory  for the image where the kernel refuses executable memfds
   * @throws SyscallError  as posix_spawn does; nothing is left then
   */
  static start(runtimeDir: string, imageDirectory: string, reaper: Reaper): ForkServer {
    const { ours, theirs } = socketPair();
    let mounts: MountChanges | undefined;
    let host: number | undefined;
    try {
      mounts = new MountChanges();
      host = openSync('/proc/self/ns/mnt', 'r');
      const placement = [...[0, 1, 2].map((to) => ({ from: theirs, to })), { from: host, to: HOST_MOUNTS }];
      const pid = spawnImage(forkServerImage(), placement, imageDirectory);
      return new ForkServer(pid, pidfdOfChild(pid), ours, mounts, reaper, runtimeDir);
    } catch (error) {
      mounts?.close();
      closeSync(ours);
      throw error;
    } finally {
      closeSync(theirs);
      if (host !== undefined) closeSync(host);
    }
  }

  /** False once it was found to be dead: it takes no more launches. */
  get alive(): boolean {
    return this.#alive;
  }

  /**
   * A first process in new namespaces, and its supervisor; whoever takes them owns them. Undefined if the server has died.
   *
   * @param kind        the program of the launch, and the flags of clone(2) for its first process
   * @param statusPath  where the supervisor's status file shall be
   * @throws  what is in the way of a new status file, or of four more descriptors
   */
  take(kind: LaunchKind, statusPath: string): WaitingPair | undefined {
    this.#launches.set(kind.program, (this.#launches.get(kind.program) ?? 0) + 1);
    if (kind.holdsHost) this.#dropStale();
    const ready = this.#nextReady(kind);
    if (ready) {
      try {
        linkat(AT_FDCWD, `/proc/self/fd/${ready.status}`, AT_FDCWD, statusPath, AT_SYMLINK_FOLLOW);
        return ready.pair;
      } catch (error) {
        ready.pair.end();
        throw error;
      } finally {
        closeSync(ready.status);
      }
    }
    const status = openStatus(statusPath);
    try {
      return this.#request(kind, status);
    } finally {
      closeSync(status);
    }
  }

  isReadyFor({ program }: LaunchKind): boolean {
    return this.#ready.has(program);
  }

  #nextReady({ program }: LaunchKind): Ready | undefined {
    const [next, ...others] = this.#ready.get(program) ?? [];
    this.#ready.delete(program);
    if (others.length > 0) this.#ready.set(program, others);
    return next;
  }

  /** Has pairs made for the next launches of this kind, until there are so many. */
  prepare(kind: LaunchKind, most = KEPT): void {
    if (!this.#alive || !this.#repeats(kind.program)) return;
    if (kind.holdsHost) this.#dropStale();
    const ready = this.#ready.get(kind.program) ?? [];
    while (ready.length < most) {
      const made = this.#make(kind);
      if (!made) return;
      ready.push(made);
      this.#ready.set(kind.program, ready);
    }
    if (this.#ready.size > MOST_KINDS) this.#drop(this.#ready.keys().next().value as Program);
  }

  #make(kind: LaunchKind): Ready | undefined {
    const status = unnamedStatus(this.runtimeDir);
    if (status === undefined) return undefined;
    let pair: WaitingPair | undefined;
    try {
      pair = this.#request(kind, status);
    } finally {
      if (!pair) closeSync(status);
    }
    pair?.meet(this.reaper, () => void (kind.holdsHost && this.#dropStale()));
    return pair && { pair, status, holdsHost: kind.holdsHost };
  }

  /** Ends it, and what waits. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#dropReady();
    pidfdSendSignal(this.pidfd, SIGKILL);
    awaitChild(this.pid);
    closeSync(this.socket);
    closeSync(this.pidfd);
    this.mounts.close();
    this.#alive = false;
  }

  /** One that came once may never come again. */
  #repeats(program: Program): boolean {
    return (this.#launches.get(program) ?? 0) > 1;
  }

  #request({ program, flags }: LaunchKind, status: number): WaitingPair | undefined {
    const ours: number[] = [];
    const theirs: number[] = [];
    const request = Buffer.alloc(REQUEST_BYTES);
    request.writeBigUInt64LE(BigInt(flags), 0);
    try {
      const { gate, report } = openPipes(ours, theirs);
      const socket = socketPair();
      ours.push(socket.ours);
      theirs.push(socket.theirs);
      sendDescriptors(this.socket, request, [gate.readEnd, report.writeEnd, status, socket.theirs]);
      return WaitingPair.of(program, gate.writeEnd, report.readEnd, socket.ours);
    } catch (error) {
      for (const fd of ours) closeSync(fd);
      if (!isGone(error)) throw error;
      this.#alive = false;
      return undefined;
    } finally {
      for (const fd of theirs) closeSync(fd);
    }
  }

  /** The mount namespaces of those that hold the host are copies of what its was, and of one that is being made nobody knows what. */
  #dropStale(): void {
    const { touched, changed } = this.mounts.look();
    if (!touched) return;
    for (const [program, ready] of [...this.#ready])
      if (ready.some(({ pair, holdsHost }) => holdsHost && (changed || !pair.met))) this.#drop(program);
  }

  #dropReady(): void {
    for (const program of [...this.#ready.keys()]) this.#drop(program);
  }

  #drop(program: Program): void {
    const ready = this.#ready.get(program) ?? [];
    this.#ready.delete(program);
    for (const { pair, status } of ready) {
      closeSync(status);
      pair.end();
    }
  }
}

/** A status file that gets its name with its launch; undefined where the filesystem has no such files (open(2), O_TMPFILE). */
function unnamedStatus(directory: string): number | undefined {
  let status: number | undefined;
  try {
    status = openSync(directory, O.O_TMPFILE | O.O_WRONLY, 0o600);
    writeSync(status, Buffer.alloc(STATUS_BYTES));
    return status;
  } catch {
    // Full, or not able to: the launch makes its own, and says what is wrong.
    if (status !== undefined) closeSync(status);
    return undefined;
  }
}

const isGone = (error: unknown): boolean =>
  ['EPIPE', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? '');
