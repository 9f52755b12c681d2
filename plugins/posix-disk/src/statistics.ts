import type { DiskStatistics, ResourceStatistics } from '@caisson/plugin-sdk';
import { quotaBytes, SANDBOX } from './directories.js';
import type { TrackedDirectory } from './tracked-directory.js';

/** Fills in the fields of a container: its volumes first, then its sandbox, as Mesos has them. */
export function fillIn(
  statistics: ResourceStatistics,
  directories: readonly TrackedDirectory[],
  nowMs: number,
): void {
  if (directories.length === 0) return;
  const sandbox = directories.find(({ directory }) => directory.key === SANDBOX);
  const volumes = directories.filter((each) => each !== sandbox);
  const entries = [...volumes, ...(sandbox ? [sandbox] : [])].map(entryOf);
  statistics.disk_statistics = [...(statistics.disk_statistics ?? []), ...entries];
  if (sandbox) {
    statistics.disk_limit_bytes = quotaBytes(sandbox.directory);
    statistics.disk_used_bytes = sandbox.last?.usedBytes ?? 0;
  }
  const conditions = {
    ...(sandbox && conditionOf(sandbox, nowMs)),
    ...(volumes.length > 0 && { volumes: volumes.map((each) => volumeCondition(each, nowMs)) }),
  };
  statistics.extensions = { ...statistics.extensions, 'posix/disk': conditions };
}

function entryOf({ directory, last }: TrackedDirectory): DiskStatistics {
  const { source, persistence } = directory.volume ?? {};
  return {
    limit_bytes: quotaBytes(directory),
    ...(last && { used_bytes: last.usedBytes }),
    ...(source && { source: { type: source.type, [source.type.toLowerCase()]: { root: source.root } } }),
    ...(persistence && { persistence }),
  };
}

const seconds = (ms: number): number => Math.round(ms) / 1000;

const volumeCondition = (tracked: TrackedDirectory, nowMs: number): Record<string, unknown> => ({
  id: tracked.directory.volume?.persistence.id,
  ...conditionOf(tracked, nowMs),
});

/** How good the figure is: by what, how old, how long it took, and what was wrong. */
function conditionOf({ gauge, last, failure }: TrackedDirectory, nowMs: number): Record<string, unknown> {
  return {
    meter: gauge.name,
    ...(last && { age_secs: seconds(nowMs - last.atMs), duration_secs: seconds(last.durationMs) }),
    ...(last?.files !== undefined && { files: last.files }),
    ...(last?.problem !== undefined && { incomplete: last.problem }),
    ...(failure && { error: failure.message, failed_measurements: failure.count }),
  };
}
