import { expect, test } from '@jest/globals';
import { randomHex, randomUuid } from './random.js';

test('as many digits as are asked for, others each time', () => {
  expect(randomHex(8)).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(Array.from({ length: 100 }, () => randomHex(8))).size).toBe(100);
});

test('none twice where the stock is refilled', () => {
  const lengths = [1, 100, 4096, 4095, 2, 4096];
  const drawn = lengths.map((bytes) => randomHex(bytes));
  expect(drawn.map(({ length }) => length / 2)).toEqual(lengths);
  expect(new Set(drawn.filter((each) => each.length === 8192)).size).toBe(2);
  expect(() => randomHex(4097)).toThrow(RangeError);
});

test('a UUID of version 4', () => {
  for (let n = 0; n < 100; n += 1)
    expect(randomUuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
