/**
 * Input from outside is plain data before any schema sees it (threat model K4): objects, arrays, strings, finite
 * numbers, booleans, null. Schemas read properties; here each own key counts, `__proto__` too, which they skip.
 */
export interface DataProblem {
  /** Such as `options["posix/disk"].watchInterval`. */
  readonly path: string;
  readonly problem: string;
}

const DEEPEST = 64;
const MOST_VALUES = 100_000;

/** The first thing that is no plain data; undefined if all is. */
export function findHostileData(value: unknown): DataProblem | undefined {
  return visit(value, [], { values: 0 });
}

function visit(value: unknown, path: readonly string[], count: { values: number }): DataProblem | undefined {
  const found = (problem: string): DataProblem => ({ path: formatPath(path), problem });
  // YAML aliases can make a small file huge, or endless.
  count.values += 1;
  if (count.values > MOST_VALUES) return found(`more than ${MOST_VALUES} values`);
  if (path.length > DEEPEST) return found(`nested deeper than ${DEEPEST} levels`);
  switch (typeof value) {
    case 'string':
      return value.includes('\0') ? found('a NUL character') : undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : found(`the number ${value}`);
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'object':
      return value === null ? undefined : visitObject(value, path, count, found);
    default:
      return found(`a ${typeof value}`);
  }
}

function visitObject(
  value: object,
  path: readonly string[],
  count: { values: number },
  found: (problem: string) => DataProblem,
): DataProblem | undefined {
  if (!Array.isArray(value) && !isPlainObject(value)) return found('an object that is no plain data');
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return found('the key "__proto__"');
    if (key.includes('\0')) return found('a key with a NUL character');
    const problem = visit((value as Record<string, unknown>)[key], [...path, key], count);
    if (problem) return problem;
  }
  return undefined;
}

/** By the name of its class: a plain object of another realm (a worker, a test) is one too. */
function isPlainObject(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `isolation[2]`, `options["posix/disk"].enforceQuota`: as it would be written in JavaScript. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number' || /^\d+$/.test(String(part))) return `[${String(part)}]`;
      if (!/^[\w$-]+$/.test(String(part))) return `[${JSON.stringify(String(part))}]`;
      return index === 0 ? String(part) : `.${String(part)}`;
    })
    .join('');
}

/** The value in a message: short, on one line, control characters escaped. */
export function formatValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'function' ? 'a function' : (safeJson(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function safeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Makes an object and all below it read-only, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const each of Object.values(value)) deepFreeze(each);
  return value;
}
