import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  SHARES_PARENTS_CPUS: {
    kind: 'conflict',
    message: (id: string) => `container ${id} has no cpus of its own: it shares those of its parent`,
    hint: () => 'update the parent, or launch it with shareCgroups: false',
  },
});
