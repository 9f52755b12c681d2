import { closeSync, fchownSync } from 'node:fs';
import type { Reaper } from '@caisson/linux/process';
import {
  F,
  fcntl,
  O,
  pipe,
  receiveDescriptor,
  sendDescriptors,
  socketPair,
  spliceToFile,
} from '@caisson/linux/syscalls';
import type { ContainerPipes, PipeMoves, ResolvedUser } from '@caisson/plugin-sdk';

/**
 * Whoever holds the agent's ends of a container's pipes: the agent, and its supervisor for the next agent. Were they
 * closed with the agent, the container would die of a SIGPIPE, and find the end of its stdin.
 */
export interface PipeEnds {
  /** A socket with a message that brings the end of stdin that is written to. */
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** Three new pipes; `theirs` become 0, 1 and 2 of the container. */
export interface NewPipes {
  readonly ours: PipeEnds;
  readonly theirs: readonly [number, number, number];
}

/**
 * A supervisor only sleeps, and a stdin ends when nobody has it open for writing: so what the supervisor holds is not
 * that end but a socket in whose queue it lies. Whoever takes it out of there can close the last one (unix(7)).
 *
 * @throws SyscallError  EMFILE; nothing stays open
 */
export function openStdioPipes(user: ResolvedUser | undefined): NewPipes {
  const open: number[] = [];
  const newPipe = () => {
    const ends = pipe();
    open.push(ends.readEnd, ends.writeEnd);
    // A container opens them again by /dev/stdout.
    if (user) fchownSync(ends.readEnd, user.uid, user.gid);
    return ends;
  };
  try {
    const [stdin, stdout, stderr] = [newPipe(), newPipe(), newPipe()];
    const queue = queueOf(stdin.writeEnd);
    closeSync(stdin.writeEnd);
    return {
      ours: { stdin: queue, stdout: stdout.readEnd, stderr: stderr.readEnd },
      theirs: [stdin.readEnd, stdout.writeEnd, stderr.writeEnd],
    };
  } catch (error) {
    for (const fd of open) closeSync(fd);
    throw error;
  }
}

function queueOf(descriptor: number): number {
  const { ours, theirs } = socketPair();
  try {
    sendDescriptors(ours, Buffer.alloc(1), [descriptor]);
    return theirs;
  } catch (error) {
    closeSync(theirs);
    throw error;
  } finally {
    closeSync(ours);
  }
}

function onReady(reaper: Reaper, output: number, callback: () => void): () => void {
  let isWaiting = true;
  reaper.watch(output, () => {
    isWaiting = false;
    callback();
  });
  return () => {
    // By now the number may be somebody else's.
    if (isWaiting) reaper.unwatch(output);
    isWaiting = false;
  };
}

/** The agent's side of the pipes. */
export class HeldPipes implements ContainerPipes {
  #open = true;

  readonly moves: PipeMoves;

  constructor(
    private readonly ends: PipeEnds,
    reaper: Reaper,
  ) {
    this.moves = {
      toFile: spliceToFile,
      onReady: (output, callback) => onReady(reaper, output, callback),
    };
    // The container may take back what it wrote after we were told of it, and we would wait for more.
    for (const fd of [ends.stdout, ends.stderr]) fcntl(fd, F.F_SETFL, O.O_NONBLOCK);
  }

  take(): ReturnType<ContainerPipes['take']> {
    const { stdin, stdout, stderr } = this.ends;
    const taken: number[] = [];
    try {
      for (const fd of [stdout, stderr]) taken.push(fcntl(fd, F.F_DUPFD_CLOEXEC));
      const [out, err] = taken as [number, number];
      return { stdin: receiveDescriptor(stdin, { peek: true }), stdout: out, stderr: err };
    } catch (error) {
      for (const fd of taken) closeSync(fd);
      throw error;
    }
  }

  endInput(): void {
    const last = this.#open ? receiveDescriptor(this.ends.stdin) : undefined;
    if (last !== undefined) closeSync(last);
  }

  close(): void {
    if (this.#open) for (const fd of Object.values(this.ends)) closeSync(fd);
    this.#open = false;
  }
}
