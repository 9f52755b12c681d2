import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  SHARES_PARENTS_PIDS: {
    kind: 'conflict',
    message: (id: string) =>
      `container ${id} has no limit of processes of its own: it shares that of its parent`,
    hint: () => 'update the parent, or launch it with shareCgroups: false',
  },
});
