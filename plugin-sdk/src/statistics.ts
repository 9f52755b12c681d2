/**
 * What `usage` fills in, each isolator its own fields. Names and units of the Mesos statistics: seconds of cpu time,
 * bytes, cores. `timestamp` is seconds since the epoch.
 */
export interface ResourceStatistics {
  timestamp: number;
  processes?: number;
  threads?: number;
  cpus_user_time_secs?: number;
  cpus_system_time_secs?: number;
  cpus_limit?: number;
  cpus_soft_limit?: number;
  cpus_nr_periods?: number;
  cpus_nr_throttled?: number;
  cpus_throttled_time_secs?: number;
  mem_total_bytes?: number;
  mem_total_memsw_bytes?: number;
  mem_kmem_usage_bytes?: number;
  mem_kmem_tcp_usage_bytes?: number;
  mem_limit_bytes?: number;
  mem_soft_limit_bytes?: number;
  mem_rss_bytes?: number;
  mem_file_bytes?: number;
  mem_anon_bytes?: number;
  mem_cache_bytes?: number;
  mem_mapped_file_bytes?: number;
  mem_swap_bytes?: number;
  mem_unevictable_bytes?: number;
  mem_low_pressure_counter?: number;
  mem_medium_pressure_counter?: number;
  mem_critical_pressure_counter?: number;
  /** Processes and threads at once: now, at most so far, allowed; and how often a fork was refused for it. */
  pids_current?: number;
  pids_peak?: number;
  pids_limit?: number;
  pids_refused_forks?: number;
  disk_limit_bytes?: number;
  disk_used_bytes?: number;
  disk_statistics?: DiskStatistics[];
  /** Figures of third-party isolators, each below the isolator's name. */
  extensions?: Record<string, unknown>;
}

/** Of the sandbox, or of a persistent volume: then it says of which. */
export interface DiskStatistics {
  limit_bytes?: number;
  used_bytes?: number;
  source?: { type: string; path?: { root: string }; mount?: { root: string } };
  persistence?: { id: string; principal?: string };
}

/** What `status` fills in. */
export interface ContainerStatus {
  container_id: string;
  executor_pid?: number;
  cgroup_info?: { net_cls?: { classid: number } };
  network_infos?: unknown[];
  /** What third-party isolators report, each below the isolator's name. */
  extensions?: Record<string, unknown>;
}
