import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nameOf, parentOf, parseContainerId, rootOf } from './container-id.js';

const level = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((text) => !/[\u0000-\u001f\u007f-\u009f/\\ .]/.test(text) && Buffer.byteLength(text) <= 242);
const levels = fc.array(level, { minLength: 1, maxLength: 32 });

describe('a container id', () => {
  test('of any legal levels is one, and splits into them', () => {
    fc.assert(
      fc.property(levels, (names) => {
        const id = parseContainerId(names.join('.'));
        expect(nameOf(id)).toBe(names.at(-1));
        expect(rootOf(id)).toBe(names[0]);
        expect(parentOf(id)).toBe(names.length === 1 ? undefined : names.slice(0, -1).join('.'));
      }),
    );
  });

  test('K4: of any text is a legal file name level by level, or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          parseContainerId(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'CONTAINER_ID_INVALID', kind: 'invalid' });
          return;
        }
        for (const name of text.split('.')) {
          expect(['', '.', '..']).not.toContain(name);
          expect(name).not.toMatch(/[/\0\n\\ ]/);
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(242);
        }
      }),
    );
  });

  test.each([
    ['', 'a level is empty'],
    ['.', 'a level is empty'],
    ['..', 'a level is empty'],
    ['web.', 'a level is empty'],
    ['a/b', 'the character "/" is not allowed'],
    ['../etc', 'a level is empty'],
    ['a\\b', 'the character "\\\\" is not allowed'],
    ['a b', 'the character " " is not allowed'],
    ['a\nb', 'the character "\\n" is not allowed'],
    ['a\0b', 'the character "\\u0000" is not allowed'],
    ['x'.repeat(243), 'longer than 242 bytes'],
    ['é'.repeat(122), 'longer than 242 bytes'],
    [Array(33).fill('a').join('.'), 'more than 32 levels'],
  ])('%j is refused with the reason', (text, reason) => {
    expect(() => parseContainerId(text)).toThrow(reason);
  });

  test.each(['web', 'web.debug', 'x'.repeat(242), Array(32).fill('a').join('.'), '-', '__proto__', 'ö'])(
    '%j is one',
    (text) => expect(parseContainerId(text)).toBe(text),
  );
});
