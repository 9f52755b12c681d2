import { defineErrors } from '../errors.js';

export const planErrors = defineErrors({
  PLAN_CONFLICT: {
    kind: 'conflict',
    message: (what: string, first: string, second: string) =>
      `the launch plan has one ${what}: set by ${first}, and again by ${second}`,
    hint: (_what: string, first: string, second: string) => `enable only one of ${first} and ${second}`,
  },
  PLAN_INVALID: {
    kind: 'invalid',
    message: (who: string, what: string, value: unknown, why: string) =>
      `${who} added ${what} ${JSON.stringify(value)} to the launch plan: ${why}`,
  },
});
