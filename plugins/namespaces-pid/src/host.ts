import { existsSync, readlinkSync } from 'node:fs';

/** Why this host cannot run the isolator; undefined if it can. */
export const whyUnsupported = (): string | undefined =>
  existsSync('/proc/self/ns/pid')
    ? undefined
    : 'there is no /proc/self/ns/pid: the kernel has no pid namespaces (CONFIG_PID_NS), or /proc is not mounted';

/** True if the process is in the pid namespace of this one (pid_namespaces(7)). Throws ENOENT if it has ended. */
export const sharesPidNamespace = (pid: number): boolean =>
  readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid');
