import { expect, test } from '@jest/globals';
import { compileTable } from '../compile.js';
import { hostPlan, standardPlan } from '../testing/standard-plan.js';
import { STEPS } from './index.js';
import { JOINING_STEPS, stepsFor } from './joining.js';

const enter = (...kinds: ('pid' | 'mount')[]) => kinds.map((kind) => ({ kind, pid: 42 }));
const namesOf = (plan: ReturnType<typeof hostPlan>) => [
  ...new Set(compileTable(plan).records.map(({ step }) => step)),
];
const behind = (names: readonly string[]) => names.slice(names.indexOf('enter-pid-namespace') + 1);

test('only what enters a pid namespace is launched in this order', () => {
  expect(stepsFor(hostPlan('true'))).toBe(STEPS);
  expect(stepsFor(hostPlan('true', { namespaces: { create: ['pid'], enter: enter('mount') } }))).toBe(STEPS);
  expect(stepsFor(hostPlan('true', { namespaces: { create: [], enter: enter('pid') } }))).toBe(JOINING_STEPS);
});

test('names are unique: an error names the step', () => {
  expect(new Set(JOINING_STEPS.map(({ name }) => name)).size).toBe(JOINING_STEPS.length);
});

test('every step of an ordinary launch has its place in this one', () => {
  const names = JOINING_STEPS.map(({ name }) => name);
  for (const { name, only } of STEPS) if (only !== 'received') expect(names).toContain(name);
});

test('with nothing to mount inside, entering is the last act: only the exec is left (N5: CVE-2016-9962)', () => {
  const debug = hostPlan('true', { namespaces: { create: [], enter: enter('pid', 'mount') } });
  expect(behind(namesOf(debug))).toEqual(['own-session', 'execute', 'leave-joiner', 'supervise']);
});

test('with a /proc of its own, that is all that is made inside (N5)', () => {
  const nested = standardPlan('/', 'true', { namespaces: { create: ['mount', 'pid'], enter: enter('pid') } });
  const names = namesOf(nested);
  expect(behind(names)).toEqual([
    'own-session',
    'hold-root',
    'mount-filesystems-inside',
    'mask-paths-inside',
    'make-read-only-inside',
    'set-capabilities-inside',
    'enter-working-directory-inside',
    'execute',
    'leave-door',
    'leave-joiner',
    'supervise',
  ]);
  expect(names.slice(0, names.indexOf('enter-pid-namespace'))).toEqual([
    'become-supervisor',
    'clone-container',
    'adjust-oom-score',
    'detach-mounts',
    'join-namespaces',
    'enter-rootfs',
    'mount-filesystems',
    'make-files',
    'mask-paths',
    'close-descriptors',
    'new-keyring',
    'set-limits',
    'drop-bounding',
    'wait-at-gate',
    'become-user',
    'keep-administration',
    'restore-affinity',
  ]);
});

const order = JOINING_STEPS.map(({ name }) => name);
test.each([
  ['open-bind-sources', 'join-namespaces', 'they are of the host, not of the parent (F2)'],
  ['join-namespaces', 'copy-mounts', 'it is the parent that is copied'],
  ['close-descriptors', 'enter-pid-namespace', 'no descriptor of the host is seen inside (N3, N5)'],
  ['set-limits', 'enter-pid-namespace', 'what is not made inside is made before (N5)'],
  ['become-user', 'enter-pid-namespace', 'what is not made inside is made before (N5)'],
  ['keep-administration', 'enter-pid-namespace', 'what is seen inside is not almighty (N5)'],
  ['wait-at-gate', 'enter-pid-namespace', 'nothing of it is inside before it is confined (N6)'],
  ['own-session', 'take-terminal', 'a terminal controls the session of the command'],
  ['hold-root', 'mount-filesystems-inside', 'descriptors of what was made outside are closed'],
  ['make-read-only-inside', 'set-capabilities-inside', 'mounting needs CAP_SYS_ADMIN'],
])('%s comes before %s: %s', (earlier, later) => {
  expect(order.indexOf(earlier)).toBeGreaterThanOrEqual(0);
  expect(order.indexOf(earlier)).toBeLessThan(order.indexOf(later));
});
