import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { hostPlan, standardPlan } from './testing/standard-plan.js';
import { refuseUnsupported } from './unsupported.js';

const enter = (kind: 'pid' | 'mount' | 'ipc') => ({ kind, pid: 42 });
const refusal = (edit: Partial<LaunchPlanData>) => () => refuseUnsupported('web', hostPlan('true', edit));
const tmpfs = { type: 'tmpfs', target: '/x', flags: [] } as const;

test('what filesystem/linux and namespaces/pid plan is done', () => {
  expect(() => refuseUnsupported('web', standardPlan('/image', 'true', { init: true }))).not.toThrow();
  expect(refusal({ namespaces: { create: [], enter: [enter('mount'), enter('pid')] } })).not.toThrow();
  expect(refusal({ namespaces: { create: ['pid'], enter: [enter('mount')] } })).not.toThrow();
});

test.each<[string, Partial<LaunchPlanData>]>([
  ['a mount', { mounts: [tmpfs] }],
  ['a root filesystem', { rootfs: '/image' }],
  ['a masked path', { maskedPaths: ['/proc/kcore'] }],
  ['a read-only path', { readOnlyPaths: ['/sys'] }],
  ['a file', { fileOperations: [{ kind: 'mkdir', path: '/x', mode: 0o755 }] }],
])('%s without a mount namespace of its own would be one of the host', (_, edit) => {
  expect(refusal(edit)).toThrow(
    expect.objectContaining({
      code: 'PLAN_UNSUPPORTED',
      kind: 'unsupported',
      message: expect.stringContaining('filesystem/linux'),
    }),
  );
  // That of another container is not its own.
  expect(refusal({ ...edit, namespaces: { create: [], enter: [enter('mount')] } })).toThrow();
});

test.each([
  ['mount', ['mount'], ['mount'], /enter a mount namespace and create one/],
  ['pid', ['pid'], ['pid'], /enter a pid namespace and create one/],
  ['ipc', ['ipc'], ['ipc'], /enter a ipc namespace and create one|enter an ipc namespace and create one/],
  ['pid and mount', ['mount'], ['pid'], /enter a pid namespace and create a mount namespace/],
] as const)('%s: created and entered in one launch', (_, create, entered, why) => {
  expect(refusal({ namespaces: { create: [...create], enter: entered.map(enter) } })).toThrow(why);
});

test('what no launch can do yet', () => {
  expect(refusal({ init: true, namespaces: { create: [], enter: [enter('pid')] } })).toThrow(/init/);
  expect(refusal({ namespaces: { create: ['time'], enter: [] } })).toThrow(/time namespace/);
});
