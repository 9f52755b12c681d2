import { AT_FDCWD, O } from '@caisson/linux/syscalls';
import type { LaunchStep } from '../step.js';

/**
 * Step adjust-oom-score: never the agent's own, which protects it (threat model N13). Through the host's /proc, so
 * before the root changes: `self` is resolved in the pid namespace of the procfs (proc_pid_oom_score_adj(5)).
 */
export const adjustOomScore: LaunchStep = {
  name: 'adjust-oom-score',
  compile({ oomScoreAdj }, table) {
    const text = String(oomScoreAdj);
    const path = table.string('/proc/self/oom_score_adj');
    const file = table.call('openat', [AT_FDCWD, path, O.O_WRONLY | O.O_CLOEXEC, 0]);
    table.call('write', [file, table.string(text), text.length]);
    table.call('close', [file]);
  },
};
