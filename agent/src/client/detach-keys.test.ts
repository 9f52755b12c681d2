import { expect, test } from '@jest/globals';
import { DetachKeys } from './detach-keys.js';

const P = '\x10';
const Q = '\x11';

test.each<[string, string[], string, boolean]>([
  ['what is typed goes on', ['ab', 'c'], 'abc', false],
  ['both keys leave', ['ab', `${P}${Q}`], 'ab', true],
  ['one by one too', [P, Q], '', true],
  ['the first one waits for the next', [P], '', false],
  ['and was meant for the container if that is another', [P, 'x'], `${P}x`, false],
  ['twice the first one is one of them, and begins anew', [`${P}${P}`, Q], P, true],
  ["what comes after them is nobody's", [`${P}${Q}abc`], '', true],
])('%s', (_what, typed, data, detached) => {
  const keys = DetachKeys.parse('ctrl-p,ctrl-q');
  const results = typed.map((text) => keys.take(Buffer.from(text)));
  expect(Buffer.concat(results.map((each) => each.data)).toString()).toBe(data);
  expect(results.at(-1)!.detached).toBe(detached);
});

test.each([['a'], ['ctrl-@'], ['ctrl-[,q']])('keys %s', (text) => {
  expect(() => DetachKeys.parse(text)).not.toThrow();
});

test.each([[''], ['ctrl'], ['ctrl-P'], ['ctrl-p,,q'], ['ctrl-1']])('no keys: %j', (text) => {
  expect(() => DetachKeys.parse(text)).toThrow('--detach-keys');
});
