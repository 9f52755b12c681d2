/**
 * posix/rlimits: resource limits of a container's processes. What a container asks for is in the plan already; this
 * checks it before anything is started, adds the operator's defaults, and holds everybody to the operator's maximum.
 *
 * Throws  RLIMITS_INVALID, RLIMITS_ABOVE_MAXIMUM; at start RLIMIT_DEFAULTS_IMPOSSIBLE (errors.ts)
 * Source  getrlimit(2)
 */
import {
  type Container,
  type ContainerizerHooks,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  type LaunchPlan,
  optional,
  type Rlimit,
  type RlimitName,
} from '@caisson/plugin-sdk';
import { entriesOf, excessesOf, problemsOf } from './check.js';
import { errors } from './errors.js';
import { HostLimits, hostLimits } from './host-limits.js';
import { lower } from './limit-values.js';
import type { RlimitsOptions } from './options.js';

@injectable()
export class RlimitsIsolator implements Isolator {
  constructor(
    @inject(IsolatorOptions) private readonly options: RlimitsOptions,
    /** Bound by tests alone. */
    @inject(HostLimits) @optional() private readonly host: HostLimits = hostLimits,
  ) {
    const problems = problemsOf(options.defaults, host);
    if (problems.length > 0) throw errors.RLIMIT_DEFAULTS_IMPOSSIBLE(problems);
  }

  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('posix/rlimits', async (container, plan) => this.#prepare(container, plan));
  }

  #prepare({ id, config: { rlimits = {} } }: Container, plan: LaunchPlan): void {
    const problems = problemsOf(rlimits, this.host);
    if (problems.length > 0) throw errors.RLIMITS_INVALID(id, problems);
    const excesses = excessesOf(rlimits, this.options.maximum);
    if (excesses.length > 0) throw errors.RLIMITS_ABOVE_MAXIMUM(id, excesses);
    for (const [name, limit] of this.#given()) if (rlimits[name] === undefined) plan.setRlimit(name, limit);
  }

  /** What a container has without asking: the defaults, and what it inherits held down to the maximum. */
  #given(): Map<RlimitName, Rlimit> {
    const given = new Map(entriesOf(this.options.defaults));
    for (const [name, most] of Object.entries(this.options.maximum)) {
      // CORE is 0 for whoever asks for nothing: the launcher's rule, which what the agent has would lift.
      if (most === undefined || name === 'CORE' || given.has(name as RlimitName)) continue;
      const { soft, hard } = this.host.inherited(name as RlimitName);
      given.set(name as RlimitName, { soft: lower(soft, most), hard: lower(hard, most) });
    }
    return given;
  }
}
