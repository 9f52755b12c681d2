/**
 * linux/capabilities: what a container may do as root. It gets what it asks for within the operator's bounds, and the
 * operator's default if it asks for nothing. The launcher sets all five sets: effective, permitted, inheritable and
 * ambient to the effective capabilities, and the bounding set.
 *
 * Throws  CAPABILITIES_NOT_ALLOWED, EFFECTIVE_NOT_BOUNDED, CAPABILITIES_UNAVAILABLE (errors.ts)
 * Source  capabilities(7)
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
} from '@caisson/plugin-sdk';
import { agentCapabilities } from './agent-capabilities.js';
import { errors } from './errors.js';
import type { CapabilitiesOptions } from './options.js';
import { plannedSets, resolveCapabilities } from './resolve.js';

export const AvailableCapabilities = Symbol.for('caisson.linux-capabilities.AvailableCapabilities');

@injectable()
export class CapabilitiesIsolator implements Isolator {
  constructor(
    @inject(IsolatorOptions) private readonly options: CapabilitiesOptions,
    /** Bound by tests alone. */
    @inject(AvailableCapabilities)
    @optional()
    private readonly available: ReadonlySet<string> = agentCapabilities(),
  ) {
    this.#requireAvailable('`effective` of linux/capabilities', options.effective);
  }

  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('linux/capabilities', async (container, plan) => this.#prepare(container, plan));
  }

  #prepare(container: Container, plan: LaunchPlan): void {
    const sets = resolveCapabilities(container, this.options);
    if (!sets) return;
    this.#requireAvailable(`container ${container.id}`, sets.effective);
    plan.setCapabilities(plannedSets(sets, this.available));
  }

  /** capset(2) would say EPERM. */
  #requireAvailable(whose: string, names: readonly string[] = []): void {
    const missing = names.filter((name) => !this.available.has(name));
    if (missing.length > 0) throw errors.CAPABILITIES_UNAVAILABLE(whose, missing);
  }
}
