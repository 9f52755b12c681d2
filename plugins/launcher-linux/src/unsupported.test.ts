import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { hostPlan, standardPlan } from './testing/standard-plan.js';
import { refuseUnsupported } from './unsupported.js';

const enter = (kind: 'pid' | 'mount' | 'ipc' | 'uts') => ({ kind, pid: 42 });
const refusal = (edit: Partial<LaunchPlanData>) => () => refuseUnsupported('web', hostPlan('true', edit));
const tmpfs = { type: 'tmpfs', target: '/x', flags: [] } as const;

test('what filesystem/linux and namespaces/pid plan is done', () => {
  expect(() => refuseUnsupported('web', standardPlan('/image', 'true', { init: true }))).not.toThrow();
  expect(refusal({ namespaces: { create: [], enter: [enter('mount'), enter('pid')] } })).not.toThrow();
  expect(refusal({ namespaces: { create: ['pid'], enter: [enter('mount')] } })).not.toThrow();
});

test('nested containers: a pid namespace within the one of the parent, or that one; its tree, or another', () => {
  for (const create of [['mount'], ['mount', 'pid']] as const)
    for (const entered of [[enter('pid')], [enter('pid'), enter('mount')]])
      expect(
        refusal({
          mounts: [{ type: 'proc', target: '/proc', flags: [] }],
          init: true,
          namespaces: { create: [...create], enter: entered },
        }),
      ).not.toThrow();
});

test('below the /proc of a pid namespace that is entered no source of the host is bound (N5)', () => {
  const bind = { type: 'bind', source: '/srv', target: '/proc/srv', recursive: false, flags: [] } as const;
  const namespaces = { create: ['mount' as const], enter: [enter('pid')] };
  expect(refusal({ mounts: [bind], namespaces })).toThrow(/below the \/proc/);
  expect(refusal({ mounts: [{ ...bind, target: '/process' }], namespaces })).not.toThrow();
});

test('a root filesystem is looked up on the host, not in the tree of a parent', () => {
  const namespaces = { create: ['mount' as const], enter: [enter('mount')] };
  expect(refusal({ rootfs: '/image', namespaces })).toThrow(/root filesystem/);
  expect(refusal({ namespaces })).not.toThrow();
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
  ['ipc', ['ipc'], ['ipc'], /enter a ipc namespace and create one|enter an ipc namespace and create one/],
  ['uts', ['uts'], ['uts'], /enter a uts namespace and create one/],
] as const)('%s: created and entered in one launch', (_, create, entered, why) => {
  expect(refusal({ namespaces: { create: [...create], enter: entered.map(enter) } })).toThrow(why);
});

test('what no launch can do yet', () => {
  expect(refusal({ namespaces: { create: ['time'], enter: [] } })).toThrow(/time namespace/);
});
