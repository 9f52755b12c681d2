import { totalmem } from 'node:os';
import { isErrno } from '@caisson/linux';
import type { Cgroup } from '@caisson/linux/cgroups';
import type { ResourceStatistics } from '@caisson/plugin-sdk';
import { readHardLimit, readUsed } from './controls.js';

type MemoryStatistics = Partial<ResourceStatistics>;

/** Bytes, of the container and of what is nested in it. */
export function readUsage(cgroup: Cgroup, withSwap: boolean): MemoryStatistics {
  return {
    mem_total_bytes: readUsed(cgroup),
    mem_limit_bytes: Math.min(readHardLimit(cgroup), totalmem()),
    ...(cgroup.hierarchy.version === 1 ? readVersion1(cgroup, withSwap) : readVersion2(cgroup, withSwap)),
  };
}

function readVersion1(cgroup: Cgroup, withSwap: boolean): MemoryStatistics {
  const stat = cgroup.readFields('memory.stat');
  const [cache, rss] = [stat.total_cache, stat.total_rss];
  return present({
    mem_file_bytes: cache,
    mem_cache_bytes: cache,
    mem_anon_bytes: rss,
    mem_rss_bytes: rss,
    mem_mapped_file_bytes: stat.total_mapped_file,
    mem_swap_bytes: stat.total_swap,
    mem_unevictable_bytes: stat.total_unevictable,
    mem_kmem_usage_bytes: readIfThere(cgroup, 'memory.kmem.usage_in_bytes'),
    mem_kmem_tcp_usage_bytes: readIfThere(cgroup, 'memory.kmem.tcp.usage_in_bytes'),
    mem_total_memsw_bytes: withSwap ? readIfThere(cgroup, 'memory.memsw.usage_in_bytes') : undefined,
  });
}

/** `kernel` is there since Linux 5.18. */
function readVersion2(cgroup: Cgroup, withSwap: boolean): MemoryStatistics {
  const stat = cgroup.readFields('memory.stat');
  const swap = readIfThere(cgroup, 'memory.swap.current');
  return present({
    mem_file_bytes: stat.file,
    mem_cache_bytes: stat.file,
    mem_anon_bytes: stat.anon,
    mem_rss_bytes: stat.anon,
    mem_mapped_file_bytes: stat.file_mapped,
    mem_swap_bytes: swap,
    mem_unevictable_bytes: stat.unevictable,
    mem_kmem_usage_bytes: stat.kernel,
    mem_kmem_tcp_usage_bytes: stat.sock,
    mem_total_memsw_bytes: withSwap && swap !== undefined ? readUsed(cgroup) + swap : undefined,
  });
}

const present = (fields: Record<string, number | undefined>): MemoryStatistics =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** Not every kernel counts it. */
export function readIfThere(cgroup: Cgroup, file: string): number | undefined {
  try {
    return cgroup.readNumber(file);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}
