import type { z } from '@caisson/plugin-sdk';
import { findHostileData, formatPath, formatValue } from './plain-data.js';

export type Parsed<T> =
  | { readonly value: T; readonly problems?: undefined }
  | { readonly value?: undefined; readonly problems: readonly string[] };

/** The schema's value, or each problem as `path: what is wrong; got value`. `root` is the path of `input` itself. */
export function parseStrictly<T>(
  schema: z.ZodType<T>,
  input: unknown,
  root: readonly PropertyKey[] = [],
): Parsed<T> {
  const hostile = findHostileData(input);
  if (hostile) return { problems: [`${join(root, hostile.path)}${hostile.problem} is not allowed`] };
  const result = schema.safeParse(input);
  if (result.success) return { value: result.data };
  return { problems: result.error.issues.flatMap((issue) => explain(issue, input, root)) };
}

const join = (root: readonly PropertyKey[], path: string): string => {
  const whole = [formatPath(root), path].filter(Boolean).join(path.startsWith('[') ? '' : '.');
  return whole ? `${whole}: ` : '';
};

function explain(issue: z.core.$ZodIssue, input: unknown, root: readonly PropertyKey[]): string[] {
  const at = formatPath([...root, ...issue.path]);
  const prefix = at ? `${at}: ` : '';
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${formatPath([...root, ...issue.path, key])}: unknown key`);
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  return [`${prefix}${message}; got ${formatValue(valueAt(input, issue.path))}`];
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part];
  return value;
}
