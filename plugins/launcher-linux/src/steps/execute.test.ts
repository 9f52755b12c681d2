import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { execute } from './execute.js';

const callsFor = (candidates: number) =>
  callsOf(execute, hostPlan('true'), (table) => {
    table.candidates = candidates;
  });
const exec = (index: number) => ['execve', `$executable ${index}`, '$argv', '$environment'];

test('a path: once', () => {
  expect(callsFor(1)).toEqual([exec(0)]);
});

test('a name: each folder of PATH; then again, for the errno that matters', () => {
  const absent = (to: number) => ({ to, on: ['ENOENT', 'ENOTDIR'] });
  expect(callsFor(3)).toEqual([
    exec(0),
    exec(1),
    exec(2),
    [...exec(0), absent(4)],
    [...exec(1), absent(5)],
    exec(2),
  ]);
});
