import type { ResultReference } from '@caisson/linux/exec-stage';
import { AT_FDCWD, O } from '@caisson/linux/syscalls';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { createFilesystem } from './create-filesystems.js';

const FILE = 'self/oom_score_adj';

/**
 * Step adjust-oom-score: never the agent's own, which protects it (threat model N13). Through the host's /proc, so before the root
 * changes, or through the container's, before it is mounted: `self` is resolved in the pid namespace of the procfs
 * (proc_pid_oom_score_adj(5)).
 */
export const adjustOomScore: LaunchStep = {
  name: 'adjust-oom-score',
  compile({ oomScoreAdj }, table) {
    const text = String(oomScoreAdj);
    const file = table.letsGoOfHost
      ? table.call('openat', [procfs(table), table.string(FILE), O.O_WRONLY | O.O_CLOEXEC, 0])
      : table.call('openat', [AT_FDCWD, table.string(`/proc/${FILE}`), O.O_WRONLY | O.O_CLOEXEC, 0]);
    table.call('write', [file, table.string(text), text.length]);
    table.call('close', [file]);
  },
};

function procfs(table: LaunchTable): ResultReference {
  const [planned] = [...table.filesystems].filter(([{ type }]) => type === 'proc');
  return planned ? planned[1] : createFilesystem(table, { type: 'proc', flags: [] });
}
