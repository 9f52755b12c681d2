import { readFileSync } from 'node:fs';
import { lastCapability } from '@caisson/linux/proc';
import { capabilityNumber } from '@caisson/linux/syscalls';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/**
 * What a container has unless it asks by name: enough for a distribution's packages to install and for servers to drop
 * their privileges. Not in it, though other runtimes have them: MKNOD (without a device cgroup it opens the host's
 * disks), NET_RAW (spoofing on a shared network), SYS_PTRACE (threat model N5).
 */
export const DEFAULT_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'AUDIT_WRITE',
  'SETFCAP',
] as const;

/** Numbers of capabilities: what the command may have, and what it has when it starts. */
export interface CapabilitySets {
  readonly bounding: readonly number[];
  readonly effective: readonly number[];
  /** Kept across the exec of a user that is not root. */
  readonly ambient: readonly number[];
}

let permitted: readonly number[] | undefined;

/** The agent's own: nobody can give more than he has, and a host may have taken some from root. */
function every(): readonly number[] {
  permitted ??= numbersOfBits(
    BigInt(`0x${/^CapPrm:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`),
  );
  return permitted;
}

const numbersOfBits = (bits: bigint): number[] =>
  Array.from({ length: lastCapability() + 1 }, (_, number) => number).filter(
    (n) => ((bits >> BigInt(n)) & 1n) !== 0n,
  );

function numbersOf(names: readonly string[] | 'all'): readonly number[] {
  if (names === 'all') return every();
  return names.map((name) => {
    const number = capabilityNumber(name);
    if (number === undefined || number > lastCapability()) throw errors.CAPABILITY_UNKNOWN(name);
    return number;
  });
}

/** The launcher runs as root: so does a container for which no user was named. */
export const isRoot = ({ user }: Pick<LaunchPlanData, 'user'>): boolean => (user?.uid ?? 0) === 0;

/** Root has all of its bounding set, as after any exec; another user has what was asked for by name. */
export function capabilitySets(
  plan: Pick<LaunchPlanData, 'capabilities' | 'privileged' | 'user'>,
): CapabilitySets {
  const { capabilities, privileged } = plan;
  const asked = capabilities?.effective;
  const bounding = numbersOf(
    capabilities?.bounding ?? (privileged ? 'all' : (asked ?? DEFAULT_CAPABILITIES)),
  );
  const missing =
    asked && asked !== 'all' ? asked.find((n) => !bounding.includes(numbersOf([n])[0] as number)) : undefined;
  if (missing) throw errors.CAPABILITY_NOT_BOUNDED(missing);
  const ambient = asked ? numbersOf(asked).filter((number) => bounding.includes(number)) : [];
  return { bounding, effective: asked || !isRoot(plan) ? ambient : bounding, ambient };
}

/** With what a launch needs besides, as long as it mounts (SYS_ADMIN), and to give that up (SETPCAP: securebits). */
export const administrationAnd = (capabilities: readonly number[]): number[] => [
  ...new Set([...capabilities, ...numbersOf(['SYS_ADMIN', 'SETPCAP'])]),
];
