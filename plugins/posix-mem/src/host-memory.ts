import { type Kin, ProcessTable, processTable } from '@caisson/linux/proc';
import { MemoryReader, type MemorySum } from './memory-reader.js';
import { type PsProcess, readPs } from './ps.js';

/** How this system tells of processes and their memory. */
export interface HostMemory {
  /** All processes. */
  list(pid: number): Promise<readonly Kin[]>;
  sum(processes: readonly Kin[], withPss: boolean): Promise<MemorySum>;
}

class LinuxMemory implements HostMemory {
  readonly #reader = new MemoryReader();

  list(pid: number): Promise<readonly Kin[]> {
    return processTable.list(pid);
  }

  sum(processes: readonly Kin[], withPss: boolean): Promise<MemorySum> {
    return this.#reader.sum(
      processes.map(({ pid }) => pid),
      withPss,
    );
  }
}

class PsMemory implements HostMemory {
  readonly #table = new ProcessTable(readPs);

  list(pid: number): Promise<readonly Kin[]> {
    return this.#table.list(pid);
  }

  async sum(processes: readonly Kin[]): Promise<MemorySum> {
    const rss = (processes as readonly PsProcess[]).reduce((total, { rssBytes }) => total + rssBytes, 0);
    return { rss, pss: rss, byRss: processes.length };
  }
}

export const HostMemory = Symbol.for('caisson.posix-mem.HostMemory');

export const hostMemory: HostMemory = process.platform === 'linux' ? new LinuxMemory() : new PsMemory();
