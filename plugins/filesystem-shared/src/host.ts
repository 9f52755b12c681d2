import { existsSync } from 'node:fs';

/** Why this host cannot run the isolator; undefined if it can. */
export const whyUnsupported = (): string | undefined =>
  existsSync('/proc/self/ns/mnt')
    ? undefined
    : 'there is no /proc/self/ns/mnt: the kernel has no mount namespaces, or /proc is not mounted';
