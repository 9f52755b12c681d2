import { RLIM_INFINITY, RLIMITS, rlimitBuffer } from '@caisson/linux/syscalls';
import type { Rlimit, RlimitName } from '@caisson/plugin-sdk';
import type { LaunchStep } from '../step.js';

const KEYCTL_JOIN_SESSION_KEYRING = 1;
const NO_CORE_DUMPS: Rlimit = { soft: 0, hard: 0 };

/**
 * Step new-keyring: the agent's session keyring would be the container's too (threat model N13; keyctl(2)). A container of
 * uid 0 can use up root's quota of keys: that fails the next launches, but gives them nobody else's keyring.
 */
export const newKeyring: LaunchStep = {
  name: 'new-keyring',
  compile(_plan, table) {
    table.call('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0], { tolerate: ['ENOSYS'] });
  },
};

/** Step set-limits: as planned; no core dumps unless asked for: they go where the host's core_pattern says. */
export const setLimits: LaunchStep = {
  name: 'set-limits',
  compile({ rlimits }, table) {
    for (const [name, { soft, hard }] of Object.entries({ CORE: NO_CORE_DUMPS, ...rlimits })) {
      const limit = table.bytes(rlimitBuffer(limitValue(soft), limitValue(hard)));
      table.call('prlimit64', [0, RLIMITS[name as RlimitName], limit, 0]);
    }
    table.call('umask', [0o022]);
  },
};

const limitValue = (value: number | 'unlimited'): bigint =>
  value === 'unlimited' ? RLIM_INFINITY : BigInt(value);
