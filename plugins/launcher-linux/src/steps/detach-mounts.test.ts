import { MS } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { detachMounts } from './detach-mounts.js';

test('everything recursively a slave, and a failure ends the launch (F6)', () => {
  expect(callsOf(detachMounts, hostPlan('true'))).toEqual([
    ['mount', 'none', '/', 0, MS.MS_SLAVE | MS.MS_REC, 0],
  ]);
});

test('only in a mount namespace of its own: elsewhere it would change the one of the host', () => {
  const creating = hostPlan('true', { namespaces: { create: ['mount'], enter: [] } });
  const entering = hostPlan('true', { namespaces: { create: [], enter: [{ kind: 'mount', pid: 1 }] } });
  expect(detachMounts.needed?.(creating)).toBe(true);
  expect(detachMounts.needed?.(hostPlan('true'))).toBe(false);
  expect(detachMounts.needed?.(entering)).toBe(false);
});
