import { closeSync } from 'node:fs';
import { P_PID, pidfdSendSignal, sendMessage, socketPair, WAIT, waitid } from '@caisson/linux/syscalls';
import { pidfdOfChild } from './children.js';
import { openPipes } from './descriptors.js';
import { DESCRIPTOR } from './launch-table.js';
import { spawnImage } from './spawn-image.js';
import { LAUNCH_HEADER_BYTES, MOST_LAUNCH_BYTES, waitingImage } from './waiting-image.js';

const SIGKILL = 9;

/**
 * A supervisor that was started while there was time for it: a launch that takes it is a fifth quicker, since starting a
 * process is what the agent itself waits for longest. It has nothing of a container yet but its gate and its report.
 */
export class WaitingSupervisor {
  private constructor(
    readonly pid: number,
    readonly pidfd: number,
    /** The agent's ends. */
    readonly gate: number,
    readonly report: number,
    private readonly socket: number,
  ) {}

  /** @throws SyscallError  as posix_spawn does; nothing is left then */
  static start(imageDirectory: string): WaitingSupervisor {
    const ours: number[] = [];
    const theirs: number[] = [];
    try {
      const { gate, report } = openPipes(ours, theirs);
      const socket = socketPair();
      ours.push(socket.ours);
      theirs.push(socket.theirs);
      const placement = [
        { from: gate.readEnd, to: DESCRIPTOR.gate },
        { from: report.writeEnd, to: DESCRIPTOR.report },
        { from: socket.theirs, to: DESCRIPTOR.status },
      ];
      const pid = spawnImage(waitingImage(), placement, imageDirectory);
      return new WaitingSupervisor(pid, pidfdOfChild(pid), gate.writeEnd, report.readEnd, socket.ours);
    } catch (error) {
      for (const fd of ours) closeSync(fd);
      throw error;
    } finally {
      for (const fd of theirs) closeSync(fd);
    }
  }

  /**
   * Hands a launch over: true once all of it is on its way. False if this process cannot take it: it has died, or the
   * launch is too large. Then it has seen nothing of it that it could act on; `end` it.
   */
  take(table: Buffer, descriptors: readonly number[]): boolean {
    if (table.length > MOST_LAUNCH_BYTES) return false;
    const header = Buffer.alloc(LAUNCH_HEADER_BYTES);
    header.writeBigUInt64LE(BigInt(table.length), 0);
    header.writeBigUInt64LE(BigInt(table.length), 8);
    try {
      // Apart: reading stops behind a message that brings descriptors (unix(7)).
      sendMessage(this.socket, header, descriptors);
      if (sendMessage(this.socket, table) !== table.length) return false;
    } catch {
      return false;
    }
    closeSync(this.socket);
    return true;
  }

  /** Ends it, and closes all that is ours of it. */
  end(): void {
    pidfdSendSignal(this.pidfd, SIGKILL);
    waitid(P_PID, this.pid, WAIT.WEXITED);
    for (const fd of [this.pidfd, this.gate, this.report, this.socket]) closeSync(fd);
  }
}
