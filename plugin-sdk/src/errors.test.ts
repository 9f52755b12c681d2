import { describe, expect, test } from '@jest/globals';
import { CaissonError, defineErrors, isCaissonError, messageOf, withCause } from './errors.js';

const errors = defineErrors({
  DOOR_SHUT: {
    kind: 'conflict',
    message: (door: string, since: number) => `the door ${door} is shut since ${since}`,
    hint: (door: string) => `open ${door}`,
    details: (door: string) => ({ door }),
  },
  LOST: { kind: 'failed', message: () => 'lost' },
});

describe('an error table', () => {
  test('makes errors with code, kind, message, hint and details', () => {
    const error = errors.DOOR_SHUT('front', 1999);
    expect(error).toBeInstanceOf(CaissonError);
    expect(error).toMatchObject({
      name: 'CaissonError',
      code: 'DOOR_SHUT',
      kind: 'conflict',
      message: 'the door front is shut since 1999',
      hint: 'open front',
      details: { door: 'front' },
    });
    expect(errors.LOST()).toMatchObject({ hint: undefined, details: {} });
  });

  test('adds a cause without changing the rest', () => {
    const cause = new Error('wind');
    expect(withCause(errors.DOOR_SHUT('back', 1), cause)).toMatchObject({
      ...errors.DOOR_SHUT('back', 1),
      cause,
    });
  });
});

describe('an error is recognised', () => {
  test('by its shape, also one of another copy of this package', () => {
    const other = Object.assign(new Error('x'), { code: 'X', kind: 'failed' });
    expect(isCaissonError(errors.LOST())).toBe(true);
    expect(isCaissonError(other)).toBe(true);
  });

  test.each([
    [new Error('x')],
    [Object.assign(new Error('x'), { code: 'ENOENT' })],
    [{ code: 'X', kind: 'y' }],
    [null],
  ])('not in %p', (thrown) => expect(isCaissonError(thrown)).toBe(false));
});

test.each<[thrown: unknown, message: string]>([
  [new Error('broken'), 'broken'],
  [new RangeError(), 'RangeError'],
  ['text', 'text'],
  [undefined, 'a thrown undefined: undefined'],
  [null, 'a thrown object: null'],
  [{ a: 1 }, 'a thrown object: {"a":1}'],
  [1n, 'a thrown bigint'],
  [Symbol('s'), 'a thrown symbol: undefined'],
])('the message of what was thrown, %p', (thrown, message) => expect(messageOf(thrown)).toBe(message));
