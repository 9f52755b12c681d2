import { readFileSync } from 'node:fs';
import { capabilityNumber, prlimit, RLIM_INFINITY, RLIMITS } from '@caisson/linux/syscalls';
import type { Rlimit, RlimitName } from '@caisson/plugin-sdk';
import type { LimitValue } from './limit-values.js';

/** What the kernel will say to a limit: containers start with the limits of the agent. */
export interface HostLimits {
  /** The agent's own. */
  inherited(name: RlimitName): Rlimit;
  /** The agent may raise hard limits (CAP_SYS_RESOURCE). */
  readonly mayRaise: boolean;
  /** fs.nr_open: no NOFILE is above it, not for root either. */
  readonly mostOpenFiles: number;
}
export const HostLimits = Symbol.for('caisson.posix-rlimits.HostLimits');

const limitValue = (value: bigint): LimitValue => (value === RLIM_INFINITY ? 'unlimited' : Number(value));

export const hostLimits: HostLimits = {
  inherited(name) {
    const { soft, hard } = prlimit(0, RLIMITS[name]);
    return { soft: limitValue(soft), hard: limitValue(hard) };
  },
  get mayRaise() {
    const effective = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return ((BigInt(`0x${effective}`) >> BigInt(capabilityNumber('SYS_RESOURCE') as number)) & 1n) !== 0n;
  },
  get mostOpenFiles() {
    return Number(readFileSync('/proc/sys/fs/nr_open', 'utf8'));
  },
};
