import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  bytesOption,
  durationOption,
  formatBytes,
  formatDuration,
  parseBytes,
  parseDuration,
} from './values.js';

describe('durations', () => {
  test.each([
    ['15secs', 15_000],
    ['1.5hrs', 5_400_000],
    ['1weeks', 604_800_000],
    ['0ns', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));
  test.each(['15', '15s', '15 secs', '-1secs', '1e3secs', '', '99999999999weeks'])('%j is refused', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );
  test.each([
    [15_000, '15secs'],
    [90_000, '90secs'],
    [60_000, '1mins'],
    [864_000_000, '10days'],
    [604_800_000, '1weeks'],
    [0, '0ns'],
  ])('%d ms is printed as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
  test('any that is printed reads back as the same, but for the last bit of a double', () => {
    const units = [1e-6, 1e-3, 1, 1000, 60_000, 3_600_000, 86_400_000, 604_800_000];
    const duration = fc.oneof(
      fc.tuple(fc.constantFrom(...units), fc.integer({ min: 0, max: 1000 })).map(([unit, n]) => unit * n),
      fc.double({ min: 1e-6, max: 9e12, noNaN: true }).map((ms) => Math.round(ms * 1000) / 1000),
    );
    fc.assert(
      fc.property(duration, (ms) => {
        const read = parseDuration(formatDuration(ms)) ?? Number.NaN;
        expect(Math.abs(read - ms)).toBeLessThanOrEqual(ms * 1e-12);
      }),
      { numRuns: 1000 },
    );
  });
  test('any text is read or refused', () => {
    fc.assert(fc.property(fc.string(), (text) => expect([undefined, 0]).toContain(parseDuration(text) && 0)));
  });
  test('an option says what it wants', () => {
    expect(durationOption().parse('1mins')).toBe(60_000);
    expect(durationOption().safeParse('soon').error?.issues[0]?.message).toMatch(/such as 15secs/);
  });
});

describe('sizes', () => {
  test.each([
    ['0B', 0],
    ['2kb', 2048],
    ['1TB', 2 ** 40],
  ])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));
  test.each(['1.5MB', '5', '5 MB', '99999999999TB'])('%j is refused', (text) =>
    expect(parseBytes(text)).toBeUndefined(),
  );
  test.each([
    [0, '0B'],
    [1536, '1536B'],
    [2048, '2KB'],
    [1_052_672, '1028KB'],
  ])('%d bytes are printed as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
  test('any that is printed reads back as the same, but for the last bit of a double', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => expect(parseBytes(formatBytes(bytes))).toBe(bytes)));
  });
  test('an option is read as bytes', () => expect(bytesOption().parse('1KB')).toBe(1024));
});
