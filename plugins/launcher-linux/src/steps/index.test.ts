import { expect, test } from '@jest/globals';
import { compileTable } from '../compile.js';
import { hostPlan, standardPlan } from '../testing/standard-plan.js';
import { STEPS } from './index.js';

const stepsOf = (plan: ReturnType<typeof hostPlan>) => [
  ...new Set(compileTable(plan).records.map(({ step }) => step)),
];

test('names are unique: an error names the step', () => {
  expect(new Set(STEPS.map(({ name }) => name)).size).toBe(STEPS.length);
});

test('a launch with a root filesystem, in order', () => {
  expect(stepsOf(standardPlan('/', 'true'))).toEqual([
    'become-supervisor',
    'clone-container',
    'detach-mounts',
    'adjust-oom-score',
    'new-keyring',
    'drop-bounding',
    'enter-rootfs',
    'mount-filesystems',
    'make-files',
    'mask-paths',
    'make-read-only',
    'close-descriptors',
    'set-limits',
    'wait-at-gate',
    'become-user',
    'set-capabilities',
    'enter-working-directory',
    'restore-affinity',
    'execute',
    'supervise',
  ]);
});

test('in a process of the fork server, all that is the same for each launch of its kind comes first', () => {
  const { records } = compileTable(standardPlan('/', 'true'), 1, STEPS, 'received');
  const steps = [...new Set(records.map(({ step }) => step))];
  const [ahead, behind] = [
    steps.slice(0, steps.indexOf('await-launch')),
    steps.slice(steps.indexOf('await-launch')),
  ];
  expect(ahead.slice(0, 4)).toEqual([
    'leave-host',
    'create-filesystems',
    'adjust-oom-score',
    'fill-filesystems',
  ]);
  expect(ahead.slice(-2)).toEqual(['new-keyring', 'drop-bounding']);
  expect(behind).not.toContain('supervise');
  // Before it is known, a launch has no slot that could be read.
  const known = records.findIndex(({ step }) => step === 'await-launch');
  const isSlot = (argument: unknown) => (argument as { kind?: string }).kind === 'slot';
  expect(records.slice(0, known).filter((record) => record.arguments.some(isSlot))).toEqual([]);
});

test('a launch without any isolation', () => {
  expect(stepsOf(hostPlan('true'))).toEqual([
    'become-supervisor',
    'clone-container',
    'adjust-oom-score',
    'new-keyring',
    'drop-bounding',
    'keep-root',
    'close-descriptors',
    'set-limits',
    'wait-at-gate',
    'become-user',
    'set-capabilities',
    'enter-working-directory',
    'restore-affinity',
    'execute',
    'supervise',
  ]);
});

const order = STEPS.map(({ name }) => name);
test.each([
  ['wait-at-gate', 'become-user', 'the credentials are those of the container only once it is confined (N6)'],
  ['wait-at-gate', 'execute', 'nothing of the container runs before the gate (N6)'],
  ['open-peer-sources', 'detach-mounts', 'a copy of a slave is no peer'],
  ['detach-mounts', 'open-bind-sources', 'nothing is mounted before (F6)'],
  ['open-bind-sources', 'enter-rootfs', 'while the host can be seen (F2)'],
  ['adjust-oom-score', 'enter-rootfs', 'through the /proc of the host'],
  ['make-files', 'mask-paths', 'masked files need /dev/null'],
  ['drop-bounding', 'become-user', 'it needs CAP_SETPCAP'],
  ['become-user', 'set-capabilities', 'a change of the uid clears capabilities'],
  ['set-capabilities', 'stay-with-agent', 'the last change of credentials clears the parent-death signal'],
  ['close-descriptors', 'enter-working-directory', 'no descriptor leads out (N3)'],
])('%s comes before %s: %s', (earlier, later) => {
  expect(order.indexOf(earlier)).toBeGreaterThanOrEqual(0);
  expect(order.indexOf(earlier)).toBeLessThan(order.indexOf(later));
});
