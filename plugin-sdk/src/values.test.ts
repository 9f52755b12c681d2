import { describe, expect, test } from '@jest/globals';
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
  test('an option is read as bytes', () => expect(bytesOption().parse('1KB')).toBe(1024));
});
