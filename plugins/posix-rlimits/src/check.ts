import type { RlimitName } from '@caisson/plugin-sdk';
import type { HostLimits } from './host-limits.js';
import { exceeds, type Rlimits, softAboveHard } from './limit-values.js';
import type { RlimitsOptions } from './options.js';

/** What is wrong with limits that somebody asks for: each in words. The kernel would say EINVAL or EPERM, of the first. */
export function problemsOf(limits: Rlimits, host: HostLimits): string[] {
  return entriesOf(limits).flatMap(([name, limit]) => {
    if (softAboveHard(limit))
      return [`${name}: soft limit ${limit.soft} is above the hard limit ${limit.hard}`];
    const { hard } = limit;
    if (name === 'NOFILE' && exceeds(hard, host.mostOpenFiles))
      return [`NOFILE: ${hard} is above ${host.mostOpenFiles}, the kernel's own limit (fs.nr_open)`];
    const own = host.inherited(name).hard;
    if (!host.mayRaise && exceeds(hard, own))
      return [
        `${name}: ${hard} is above ${own}, the limit of the agent, which has no CAP_SYS_RESOURCE to raise it`,
      ];
    return [];
  });
}

/** Limits above what the operator allows. */
export function excessesOf(limits: Rlimits, maximum: RlimitsOptions['maximum']): string[] {
  return entriesOf(limits).flatMap(([name, { hard }]) => {
    const most = maximum[name];
    return most !== undefined && exceeds(hard, most) ? [`${name}: ${hard} is above ${most}`] : [];
  });
}

export const entriesOf = (limits: Rlimits) =>
  Object.entries(limits).filter(([, limit]) => limit !== undefined) as [
    RlimitName,
    NonNullable<Rlimits[RlimitName]>,
  ][];
