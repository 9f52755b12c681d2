import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  RLIMITS_INVALID: {
    kind: 'invalid',
    message: (id: string, problems: readonly string[]) =>
      `container ${id}: limits that it cannot have: ${problems.join('; ')}`,
    hint: () => 'see getrlimit(2); `unlimited` is written out',
    details: (_id: string, problems: readonly string[]) => ({ problems }),
  },
  RLIMITS_ABOVE_MAXIMUM: {
    kind: 'denied',
    message: (id: string, excesses: readonly string[]) =>
      `container ${id} asks for more than the operator allows: ${excesses.join('; ')}`,
    hint: () => 'ask for less, or raise `maximum` of posix/rlimits',
    details: (_id: string, excesses: readonly string[]) => ({ excesses }),
  },
  RLIMIT_DEFAULTS_IMPOSSIBLE: {
    kind: 'invalid',
    message: (problems: readonly string[]) =>
      `posix/rlimits: this host cannot have these defaults: ${problems.join('; ')}`,
    hint: () => 'lower `defaults` of posix/rlimits, or raise the limit of the host that is named',
    details: (problems: readonly string[]) => ({ problems }),
  },
});
