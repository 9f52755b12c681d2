import { LaunchPlan, type LaunchPlanData, type Mount } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { isOfOneShape } from './plan-shape.js';

// What else counts, and what does not: compile.test.ts.
const BIND: Mount = { type: 'bind', source: '/a', target: '/t', flags: ['ro'], recursive: true };
const TMPFS: Mount = { type: 'tmpfs', target: '/tmp', flags: ['nosuid'], options: { size: '1m' } };

const withMounts = (...mounts: Mount[]): LaunchPlanData =>
  structuredClone(new LaunchPlan({ argv: ['true'], mounts }).data);
const base = withMounts(BIND, TMPFS);

test('what is bound makes no other shape', () => {
  expect(isOfOneShape(base, withMounts({ ...BIND, source: '/b' }, TMPFS))).toBe(true);
});

test.each<[what: string, other: LaunchPlanData]>([
  ['how many there are', withMounts(BIND)],
  ['their order', withMounts(TMPFS, BIND)],
  ['where something is bound', withMounts({ ...BIND, target: '/u' }, TMPFS)],
  ['flags', withMounts({ ...BIND, flags: [] }, TMPFS)],
  ['options of a filesystem', withMounts(BIND, { ...TMPFS, options: { size: '2m' } })],
  ['the source of a filesystem', withMounts(BIND, { ...TMPFS, source: 'x' })],
  ['a member that only one has', withMounts(BIND, { ...TMPFS, optional: true })],
])('of mounts, %s does', (_, other) => {
  expect(isOfOneShape(base, other)).toBe(false);
  expect(isOfOneShape(other, base)).toBe(false);
});
