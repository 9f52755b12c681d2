import { readFileSync } from 'node:fs';
import { isErrno } from '../errors.js';

/** The lines of /proc/cgroups (cgroups(7)): each controller, and whether it is switched on. */
function listed(): Map<string, boolean> {
  try {
    const lines = readFileSync('/proc/cgroups', 'utf8').trimEnd().split('\n').slice(1);
    return new Map(
      lines.map((line) => line.split('\t')).map(([name = '', , , enabled]) => [name, enabled === '1']),
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return new Map(); // a kernel without version 1
    throw error;
  }
}

/** Controllers of version 1 that this kernel has and that are not switched off. */
export const kernelControllers = (): Set<string> =>
  new Set([...listed()].filter(([, enabled]) => enabled).map(([name]) => name));

/** Why the kernel has no such controller for version 1; undefined if it has. */
export function kernelProblem(controller: string): string | undefined {
  const enabled = listed().get(controller);
  if (enabled) return undefined;
  return enabled === undefined
    ? `the kernel has no cgroup controller ${controller}`
    : `the cgroup controller ${controller} is switched off (cgroup_disable= of the kernel's command line)`;
}
