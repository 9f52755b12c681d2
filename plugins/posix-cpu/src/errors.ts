import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  PROCESSES_UNREADABLE: {
    kind: 'failed',
    message: (id: string, why: string) => `container ${id}: its processes cannot be listed: ${why}`,
    hint: () => 'posix/cpu needs /proc on Linux, and the program ps elsewhere',
  },
});
