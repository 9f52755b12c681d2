import { RLIMITS } from '@caisson/linux/syscalls';
import { expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { newKeyring, setLimits } from './set-limits.js';

const limit = (soft: bigint, hard: bigint): string => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(soft, 0);
  bytes.writeBigUInt64LE(hard, 8);
  return bytes.toString('hex');
};

test('no core dumps, and umask 022 (N13)', () => {
  expect(callsOf(setLimits, hostPlan('true'))).toEqual([
    ['prlimit64', 0, RLIMITS.CORE, 'memory of 16', 0],
    ['umask', 0o022],
  ]);
});

test('as planned, core dumps too', () => {
  const rlimits = {
    CORE: { soft: 'unlimited', hard: 'unlimited' },
    NOFILE: { soft: 100, hard: 2 ** 40 },
  } as const;
  expect(callsOf(setLimits, hostPlan('true', { rlimits }))).toEqual([
    ['prlimit64', 0, RLIMITS.CORE, 'ff'.repeat(16), 0],
    ['prlimit64', 0, RLIMITS.NOFILE, limit(100n, 2n ** 40n), 0],
    ['umask', 0o022],
  ]);
});

test('a keyring of its own; only a kernel without keys may refuse it (N13)', () => {
  expect(callsOf(newKeyring, hostPlan('true'))).toEqual([
    ['keyctl', 1, 0, 0, 0, 0, { to: 1, on: ['ENOSYS'] }],
  ]);
});
