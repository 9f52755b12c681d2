import { cpuAffinity, currentCpu, setCpuAffinity } from '@caisson/linux/syscalls';

/**
 * The processor that a launch which is alone shares with the agent. Each waits for the other several times, and waking an
 * idle processor takes longer than what they have to do: seen, a launch takes a fifth less time on one, and half of it on
 * a busy host. The processes of the launch inherit it, and have the agent's own affinity again before the command runs: the
 * supervisor by itself, the first process before isolators see it, which may choose this very processor for it.
 *
 * Only for what blocks: a thread that the event loop starts meanwhile would inherit it for ever.
 */
export class SharedProcessor {
  private constructor(
    private readonly normal: Buffer,
    /** sched_setaffinity(2): this processor alone. */
    private readonly mask: Buffer,
  ) {}

  /** The one that the agent is on; undefined if there is no other, or it may not choose. */
  static here(): SharedProcessor | undefined {
    const normal = cpuAffinity();
    const mask = Buffer.alloc(normal.length);
    const processor = currentCpu();
    mask[processor >> 3] = 1 << (processor & 7);
    return normal.equals(mask) ? undefined : new SharedProcessor(normal, mask);
  }

  /** Runs `body`, which must not wait for the event loop. */
  run<T>(body: () => T): T {
    try {
      setCpuAffinity(this.mask);
    } catch {
      return body(); // taken from us meanwhile (cpuset): it is a matter of speed alone
    }
    try {
      return body();
    } finally {
      setCpuAffinity(this.normal);
    }
  }

  /** Gives a process that has inherited it all of them. */
  release(pid: number): void {
    try {
      setCpuAffinity(this.normal, pid);
    } catch {
      // It has ended, as its report says, or a cpuset has chosen for it.
    }
  }
}
