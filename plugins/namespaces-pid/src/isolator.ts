/**
 * namespaces/pid: a pid namespace per container. It neither sees nor signals processes outside, its first process is
 * pid 1, and when that dies the kernel kills the rest. A nested container's namespace lies in its parent's.
 *
 * Throws  PID_SHARING_DISALLOWED, PARENT_NOT_RUNNING (errors.ts)
 * Source  pid_namespaces(7)
 */
import {
  type Container,
  type ContainerizerHooks,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import { sharesPidNamespace } from './host.js';
import type { PidNamespaceOptions } from './options.js';

@injectable()
export class PidNamespaceIsolator implements Isolator {
  constructor(@inject(IsolatorOptions) private readonly options: PidNamespaceOptions) {}

  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('namespaces/pid', async (container, plan) => this.#prepare(container, plan));
  }

  #prepare(container: Container, plan: LaunchPlan): void {
    if (container.parentId === undefined) this.#prepareTopLevel(container, plan);
    else this.#prepareNested(container, container.parentId, plan);
  }

  #prepareTopLevel({ id, config }: Container, plan: LaunchPlan): void {
    if (config.sharePidNamespace) {
      if (this.options.disallowSharingAgentPidNamespace) throw errors.PID_SHARING_DISALLOWED(id);
      return;
    }
    plan.createNamespace('pid');
    mountProc(plan);
  }

  #prepareNested(container: Container, parentId: string, plan: LaunchPlan): void {
    const { id, parentPid, config } = container;
    if (parentPid === undefined) throw errors.PARENT_NOT_RUNNING(id, parentId);
    // A DEBUG container looks into its parent: its processes, in its mounts, whose /proc shows them already.
    const debug = container.class === 'DEBUG';
    const staysInParents = debug || config.sharePidNamespace === true;
    if (staysInParents) this.#requireOwnNamespace(id, parentId, parentPid);
    plan.enterNamespace('pid', parentPid);
    if (!staysInParents) plan.createNamespace('pid');
    if (!debug) mountProc(plan);
  }

  /** The parent may have been launched before the operator disallowed sharing. */
  #requireOwnNamespace(id: string, parentId: string, parentPid: number): void {
    if (!this.options.disallowSharingAgentPidNamespace) return;
    if (isAgents(id, parentId, parentPid)) throw errors.PID_SHARING_DISALLOWED(id);
  }
}

function isAgents(id: string, parentId: string, parentPid: number): boolean {
  try {
    return sharesPidNamespace(parentPid);
  } catch {
    throw errors.PARENT_NOT_RUNNING(id, parentId);
  }
}

/**
 * A procfs shows the pid namespace of whoever mounted it, so the container gets one of its own (threat model N15). With a
 * root filesystem an earlier isolator has planned it; the launcher mounts it inside the pid namespace.
 */
function mountProc(plan: LaunchPlan): void {
  if (plan.data.mounts.some(({ type, target }) => type === 'proc' && target === '/proc')) return;
  plan.mount({ type: 'proc', target: '/proc', flags: ['nosuid', 'nodev', 'noexec'] });
}
