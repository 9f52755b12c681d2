import { z } from 'zod';

/**
 * Values as operators write them: `15secs`, `1.5hrs`, `2GB`. The grammar and the spelling of the Mesos flags; a bare
 * number is refused, since nobody can tell its unit.
 */
const DURATION_UNITS = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  secs: 1000,
  mins: 60_000,
  hrs: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
} as const;

const BYTE_UNITS = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 } as const;

/** What 64 bits of nanoseconds hold. */
const LONGEST_MS = 2 ** 63 / 1e6;

/** Milliseconds; undefined if it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|secs|mins|hrs|days|weeks)$/.exec(text);
  if (!match) return undefined;
  const ms = Number(match[1]) * DURATION_UNITS[match[2] as keyof typeof DURATION_UNITS];
  return ms < LONGEST_MS ? ms : undefined;
}

/**
 * In the unit of its magnitude, or the next smaller one where only that divides it: 60000 is `1mins`, 90000 `90secs`. What is
 * printed reads back as the same number, but for the last bit.
 */
export function formatDuration(ms: number): string {
  const units = Object.entries(DURATION_UNITS).reverse();
  const index = units.findIndex(([, size]) => ms >= size);
  if (ms <= 0 || index < 0) return '0ns';
  const written = units.slice(index).map(([unit, size]) => ({ unit, count: ms / size }));
  const [own, smaller] = written;
  const whole = [own, smaller].find((each) => each && Number.isInteger(each.count));
  const exact = written.find(({ unit, count }) => parseDuration(`${count}${unit}`) === ms);
  const { unit, count } = (whole ?? exact ?? own)!;
  return `${count}${unit}`;
}

/** Bytes; undefined if it is no size. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+)(B|KB|MB|GB|TB)$/i.exec(text);
  if (!match) return undefined;
  const bytes = Number(match[1]) * BYTE_UNITS[match[2]!.toUpperCase() as keyof typeof BYTE_UNITS];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** In the largest unit that divides it exactly: 2048 is `2KB`. */
export function formatBytes(bytes: number): string {
  const [unit, size] = Object.entries(BYTE_UNITS)
    .reverse()
    .find(([, each]) => bytes >= each && bytes % each === 0) ?? ['B', 1];
  return `${bytes / size}${unit}`;
}

/** An option that is a duration: written like `15secs`, read as milliseconds. */
export const durationOption = () => parsed('a duration such as 15secs or 1mins', parseDuration);

/** An option that is a size: written like `64MB`, read as bytes. */
export const bytesOption = () => parsed('a size such as 64MB', parseBytes);

const parsed = (expected: string, parse: (text: string) => number | undefined) =>
  z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${expected}` });
    return z.NEVER;
  });
