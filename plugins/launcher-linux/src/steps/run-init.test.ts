import { PR } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { runInit, startInit } from './run-init.js';

const withPid = hostPlan('true', { init: true, namespaces: { create: ['pid'], enter: [] } });
const shared = hostPlan('true', { init: true });
const CLONE_PARENT_SETTID = 0x100000;

test('the kernel itself stores the pid that the loop compares with', () => {
  const [clone] = callsOf(startInit, withPid, (table) => table.place(table.init.compare));
  expect(clone?.slice(0, 4)).toEqual(['clone', CLONE_PARENT_SETTID, 0, '&operand']);
});

test('without a pid namespace of its own it is a subreaper, so that orphans come to it', () => {
  const subreaper = ['prctl', PR.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0];
  expect(callsOf(startInit, shared)[0]).toEqual(subreaper);
  expect(callsOf(startInit, withPid)).not.toContainEqual(subreaper);
});

test('holds no descriptor, takes no signal, waits for anybody until the command has ended', () => {
  const calls = callsOf(runInit, withPid);
  expect(calls[0]).toEqual(['close_range', 0, 0xffff_ffff, 0]);
  expect(calls[1]).toEqual(['rt_sigprocmask', 0, 'ff'.repeat(8), 0, 8]);
  const anybody = ['waitid', 0, 0, 'memory of 128', 0x41000004, 0, { to: 2, on: ['EINTR'] }];
  expect(calls[2]).toEqual(anybody);
  expect(calls[11]).toEqual(['wait4', -1, 'memory of 8', 0, 0, { to: 2, on: ['EINTR'] }]);
  expect(calls[13]).toEqual(['compute', 0, 0, 0, 1, { to: 2 }]);
});

test('dies where its command was killed before it was executed (N11)', () => {
  const calls = callsOf(runInit, withPid);
  expect(calls.slice(3, 11)).toEqual([
    ['wait4', -1, 'memory of 8', 0x80000001 | 0, 0, { to: 11, on: ['ECHILD'] }],
    ['compute', '<wait4 3>', -1, 0, 0, { to: 11, mustBe: 0 }],
    ['compute', '*data', 0x7f, 0, 0],
    ['compute', '<compute 5>', -1, 0, 0, { to: 9 }],
    ['compute', '*data', 0xff00, 8, 0],
    ['exit_group', '<compute 7>'],
    ['prctl', PR.PR_SET_SECCOMP, 1, 0, 0, 0],
    ['getpid'],
  ]);
});

test('leaves as a shell does: the exit code, or 128 and the signal', () => {
  const calls = callsOf(runInit, withPid);
  expect(calls.slice(14)).toEqual([
    ['compute', '*data', 0x7f, 0, 0],
    ['compute', '<compute 14>', -1, 0, 0, { to: 18 }],
    ['compute', '*data', 0xff00, 8, 0],
    ['exit_group', '<compute 16>'],
    ['compute', '<compute 14>', -1, 0, 128],
    ['exit_group', '<compute 18>'],
  ]);
});
