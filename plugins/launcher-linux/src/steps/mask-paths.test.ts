import { expect, test } from '@jest/globals';
import type { LaunchTable } from '../launch-table.js';
import { callsOf, type Flow } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { makeReadOnly } from './make-read-only.js';
import { maskPaths } from './mask-paths.js';

const rooted = (table: LaunchTable) => {
  table.root = table.call('open_tree', [0, 0, 0]);
};

test('what is bound over a file is the null device itself: type and number are checked (F3: CVE-2025-31133)', () => {
  const calls = callsOf(maskPaths, hostPlan('true', { maskedPaths: ['/proc/kcore'] }), rooted);
  expect(calls.slice(1, 4)).toEqual([
    ['statx', '<openat2 0>', '', 0x1000, 0x7ff, 'memory of 256'],
    ['compute', '*data+24', 0o170000 * 2 ** 32, 32, 0, { mustBe: 0o020000 }],
    ['compute', '*data+128', -1, 0, 0, { mustBe: 1 + 3 * 2 ** 32 }],
  ]);
});

test('only what is absent is skipped (F5)', () => {
  const masked = callsOf(maskPaths, hostPlan('true', { maskedPaths: ['/proc/kcore'] }), rooted);
  const readOnly = callsOf(makeReadOnly, hostPlan('true', { readOnlyPaths: ['/proc/sys'] }), rooted);
  for (const calls of [masked, readOnly]) {
    const flows = calls.map((call) => call.at(-1) as Flow);
    const skips = flows.filter(({ to, on }) => to === calls.length && on !== undefined);
    expect(skips).toEqual([{ to: calls.length, on: ['ENOENT', 'ENOTDIR'] }]);
  }
});

test('read-only is a copy on itself, with what is mounted below', () => {
  const names = callsOf(makeReadOnly, hostPlan('true', { readOnlyPaths: ['/proc/sys'] }), rooted).map(
    ([name]) => name,
  );
  expect(names).toEqual(['openat2', 'open_tree', 'mount_setattr', 'move_mount']);
});
