import { expect, test } from '@jest/globals';
import type { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan, type PlanEdit } from '../testing/standard-plan.js';
import { supervise } from './supervise.js';

const cloned = (table: LaunchTable) => {
  table.container = table.call('clone', [0, 0, 0, 0, 0]);
};
const callsFor = (edit: PlanEdit = {}, before = cloned) => callsOf(supervise, hostPlan('true', edit), before);
const closed = (edit?: PlanEdit, before?: typeof cloned) =>
  callsFor(edit, before)
    .filter(([name]) => name === 'close_range')
    .map(([, first, last]) => [first, last]);
const LAST = 0xffff_ffff;

test('tells the pid, keeps the status file alone, and no directory busy (A6)', () => {
  expect(callsFor()[0]).toEqual(['write', 4, '&<earlier clone>', 8]);
  expect(closed()).toEqual([
    [0, 5],
    [7, LAST],
  ]);
  expect(callsFor()).toContainEqual(['chdir', '/']);
});

test('holds the master side of a terminal open', () => {
  const withDevpts = (table: LaunchTable) => {
    cloned(table);
    table.descriptor('devpts');
  };
  expect(closed({ stdio: 'terminal' })).toEqual([
    [0, 5],
    [8, LAST],
  ]);
  expect(closed({ stdio: 'terminal' }, withDevpts)).toEqual([
    [0, 5],
    [7, 7],
    [9, LAST],
  ]);
});

test("holds the agent's ends of pipes open", () => {
  expect(closed({ stdio: 'pipes' })).toEqual([
    [0, 5],
    [10, LAST],
  ]);
});

test('writes the status and whether the command was executed in one call: half a status is none (N11)', () => {
  const writes = callsFor().filter(([name]) => name === 'pwrite64');
  expect(writes).toEqual([
    ['pwrite64', 6, '0000000002000000', 8, 0, { mustBe: 8 }],
    ['pwrite64', 6, '0000000001000000', 8, 0, { mustBe: 8 }],
  ]);
});

test('waits for whoever was left to it where a pid namespace is joined', () => {
  const enter = [{ kind: 'pid' as const, pid: 1 }];
  const waits = callsFor({ namespaces: { create: [], enter } }).filter(([name]) =>
    /^wait/.test(String(name)),
  );
  expect(waits.map(([name, a, b]) => [name, a, name === 'waitid' ? b : undefined])).toEqual([
    ['wait4', '<earlier clone>', undefined],
    ['waitid', 0, 0],
    ['wait4', -1, undefined],
    ['wait4', -1, undefined],
  ]);
});
