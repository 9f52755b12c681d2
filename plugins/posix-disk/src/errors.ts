import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  MEASUREMENT_FAILED: {
    kind: 'failed',
    message: (what: string, why: string) => `${what} cannot be measured: ${why}`,
  },
  QUOTA_UNAVAILABLE: {
    kind: 'unsupported',
    message: (directory: string, why: string) =>
      `meter: quota: the filesystem of ${directory} does not count: ${why}`,
    hint: () => 'enable quotas there, or set `meter` of posix/disk to auto or du',
  },
  QUOTA_SANDBOX_USED: {
    kind: 'conflict',
    message: (id: string, sandbox: string) =>
      `container ${id}: its sandbox ${sandbox} is not empty, so the filesystem cannot count it from the start`,
    hint: () =>
      'name posix/disk before isolators that put something into the sandbox, or set its `meter` to auto or du',
  },
  PROJECT_IDS_EXHAUSTED: {
    kind: 'exhausted',
    message: (id: string, first: number, last: number) =>
      `container ${id}: no project id is free between ${first} and ${last}`,
    hint: () => 'remove sandboxes that nobody needs, or widen `projectIds` of posix/disk',
  },
});
