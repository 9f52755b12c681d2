/** The namespaces of another process that a launch enters: of that very one, and with nobody in it who could use it. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import { openByIdentity } from '@caisson/linux/process';
import { capabilityNumber } from '@caisson/linux/syscalls';
import type { Container, LaunchPlanData, ProcessIdentity } from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { entersPidNamespace } from './steps/join-namespaces.js';
import { administersInside } from './steps/part-of-plan.js';

type Entered = LaunchPlanData['namespaces']['enter'][number];

/** Whoever knows a process by more than its number. */
export interface NamespaceOwner {
  /** True while the number is that of its process, and of no other. */
  owns(pid: number): boolean;
}

/** @throws PARENT_ENDED */
export function openNamespace(id: string, { kind, pid }: Entered): number {
  try {
    return openSync(`/proc/${pid}/ns/${kind === 'mount' ? 'mnt' : kind}`, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) throw errors.PARENT_ENDED(id, pid);
    throw error;
  }
}

/**
 * The launcher knows the parent of a nested container, and whom the plan names by more than its number.
 * @throws NAMESPACE_OF_UNKNOWN
 */
export function refuseUnknown({ id, parentPid }: Container, { namespaces }: LaunchPlanData): void {
  const unknown = namespaces.enter.find(({ pid, identity }) => !identity && pid !== parentPid);
  if (unknown) throw errors.NAMESPACE_OF_UNKNOWN(id, unknown.kind, unknown.pid);
}

/**
 * Once the namespaces are open: the plan names a process by its number, which may have become another one's since it was made, a
 * process of the host (threat model N12). As long as it is not reaped, its number is its own.
 *
 * @param parent  undefined: it has ended
 * @throws PARENT_ENDED
 */
export function requireEntered(
  { id, parentPid }: Container,
  { namespaces }: LaunchPlanData,
  parent: NamespaceOwner | undefined,
): void {
  for (const { pid, identity } of namespaces.enter) {
    const known = identity ? isStill(identity, pid) : pid === parentPid && parent?.owns(pid);
    if (!known) throw errors.PARENT_ENDED(id, pid);
  }
}

function isStill(identity: ProcessIdentity, pid: number): boolean {
  const pidfd = identity.pid === pid ? openByIdentity(identity) : undefined;
  if (pidfd === undefined) return false;
  closeSync(pidfd);
  return true;
}

/**
 * What mounts /proc in the pid namespace of another container has CAP_SYS_ADMIN there for the while. Who may trace it, and is
 * not that mighty himself, would be by tracing (threat model N5). Who has both is told by `privileged`.
 *
 * @throws PARENT_TRACES
 */
export function refuseTracer(id: string, plan: LaunchPlanData): void {
  if (!entersPidNamespace(plan) || !administersInside(plan)) return;
  const pid = plan.namespaces.enter.find(({ kind }) => kind === 'pid')?.pid as number;
  const may = boundOf(id, pid);
  if (may('SYS_PTRACE') && !may('SYS_ADMIN')) throw errors.PARENT_TRACES(id);
}

/** Whether any process of a container can have a capability: of its bounding set, which never grows. */
function boundOf(id: string, pid: number): (name: string) => boolean {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) throw errors.PARENT_ENDED(id, pid);
    throw error;
  }
  const bits = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(status)?.[1]}`);
  return (name) => ((bits >> BigInt(capabilityNumber(name) as number)) & 1n) !== 0n;
}
