import { defineErrors, formatBytes } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  SHARES_PARENTS_MEMORY: {
    kind: 'conflict',
    message: (id: string) => `container ${id} has no memory of its own: it shares that of its parent`,
    hint: () => 'update the parent, or launch it with shareCgroups: false',
  },
  LIMIT_BELOW_USE: {
    kind: 'conflict',
    message: (cgroup: string, limit: number, used: number) =>
      `${cgroup} cannot be limited to ${formatBytes(limit)}: ${formatBytes(used)} are in use`,
    hint: () => 'give it a higher limit, or launch it again with this one',
    details: (cgroup: string, limitBytes: number, usedBytes: number) => ({ cgroup, limitBytes, usedBytes }),
  },
  SWAP_NOT_COUNTED: {
    kind: 'unsupported',
    message: (id: string) =>
      `the swap of container ${id} cannot be limited: this kernel does not count the swap of cgroups`,
    hint: () => 'boot with swapaccount=1, or set limitSwap of cgroups/mem to false',
  },
});
