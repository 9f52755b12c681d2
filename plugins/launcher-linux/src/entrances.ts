/**
 * Who may trace whom while a launch is in the pid namespace of another container. What mounts /proc there has CAP_SYS_ADMIN for
 * the while (threat model N5): anybody in that namespace, or in one around it, who has CAP_SYS_PTRACE and is not that mighty
 * himself, would be by tracing it. The parent is looked at before anything is started (`refuseTracer`); these are all the others.
 */
import { namespaceOf } from '@caisson/linux/proc';
import { capabilityNumber } from '@caisson/linux/syscalls';
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { capabilitySets } from './capabilities.js';
import { errors } from './errors.js';
import { administersInside } from './steps/part-of-plan.js';

/** What is to know of a container that was started or taken up. */
export interface Neighbour {
  readonly pid: number;
  readonly state: { readonly traces?: boolean | undefined };
}

/** Whether it would gain by tracing what mounts: of the bounding set, which no process of it can leave. */
export function maySteal(plan: LaunchPlanData): boolean {
  const { bounding } = capabilitySets(plan);
  const has = (name: string) => bounding.includes(capabilityNumber(name) as number);
  return has('SYS_PTRACE') && !has('SYS_ADMIN');
}

export class Entrances {
  /** Those that are mightier at the moment than what they become. */
  readonly #inside = new Set<Promise<void>>();

  /** @param running  by id, each from the time that it stands at its gate */
  constructor(private readonly running: ReadonlyMap<string, Neighbour>) {}

  /**
   * Before the gate opens. Who may trace waits until those who are inside have become what they shall be; one that comes later
   * finds it in `running`.
   *
   * @returns to be called once the command was executed, or the launch has failed
   * @throws SIBLING_TRACES
   */
  async enter(container: Container, plan: LaunchPlanData): Promise<() => void> {
    if (maySteal(plan)) await Promise.all(this.#inside);
    if (!administersInside(plan)) return () => {};
    this.#refuseTracers(container, plan);
    let left = () => {};
    const inside = new Promise<void>((resolve) => {
      left = resolve;
    });
    this.#inside.add(inside);
    return () => {
      this.#inside.delete(inside);
      left();
    };
  }

  #refuseTracers({ id }: Container, { namespaces }: LaunchPlanData): void {
    const tracers = [...this.running].filter(([other, { state }]) => other !== id && state.traces);
    if (tracers.length === 0) return;
    const around = this.#pidNamespacesAround(id);
    for (const { kind, pid } of namespaces.enter) if (kind === 'pid') around.add(namespaceOf(pid, 'pid'));
    // Of one that is just ending nobody can say where those are that it has left behind.
    const sees = ({ pid }: Neighbour) => [undefined, ...around].includes(namespaceOf(pid, 'pid'));
    const tracer = tracers.find(([, other]) => sees(other));
    if (tracer) throw errors.SIBLING_TRACES(id, tracer[0]);
  }

  /** Of all that it is nested in: a pid namespace sees what is in those within it. */
  #pidNamespacesAround(id: string): Set<string | undefined> {
    const levels = id.split('.');
    const outer = levels.map((_, index) => this.running.get(levels.slice(0, index).join('.')));
    return new Set(outer.flatMap((each) => (each ? [namespaceOf(each.pid, 'pid')] : [])));
  }
}
