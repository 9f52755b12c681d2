import type { z } from '@caisson/plugin-sdk';

/** Each problem of an input as `path: what is wrong`. */
export const problemsOf = (error: z.ZodError, root: string): string[] =>
  error.issues.slice(0, 20).map(({ path, message }) => {
    const what = message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
    return `${[root, ...path.map(String)].join('.')}: ${what}`;
  });
