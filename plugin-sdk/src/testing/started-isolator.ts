import type { Container } from '../container.js';
import type { IsolatorDefinition, PluginDefinition } from '../define-plugin.js';
import { createHooks, PHASES, type Phase } from '../hooks/index.js';
import { InjectionContainer, z } from '../index.js';
import type { Isolator } from '../isolator.js';
import type { LaunchPlan } from '../plan/launch-plan.js';
import { Checkpoints, Clock, HostEnvironment, IsolatorOptions, Logger } from '../services.js';
import { fakePlan } from './fake-container.js';
import { ManualClock, MemoryCheckpoints, RecordingLogger } from './fake-services.js';

/** A tap as tapable knows it. */
export interface TapInfo {
  readonly phase: Phase;
  readonly name: string;
  readonly type: 'sync' | 'async' | 'promise';
  readonly stage?: unknown;
  readonly before?: unknown;
  readonly fn: (...args: unknown[]) => unknown;
}

export interface StartOptions {
  readonly plugin: PluginDefinition;
  /** The isolator's name; default the plugin's only one. */
  readonly isolator?: string | undefined;
  /** As an operator would write them; validated and defaulted by the isolator's schema. */
  readonly options?: unknown;
  readonly environment?: Partial<HostEnvironment> | undefined;
  /** What else the isolator injects, such as `Cgroups`, by token. The plugin's own services are there anyway. */
  readonly services?: readonly (readonly [token: symbol, service: unknown])[] | undefined;
}

export function definitionOf(plugin: PluginDefinition, name?: string): IsolatorDefinition {
  const isolators = plugin.isolators ?? [];
  const found = name === undefined ? isolators[0] : isolators.find((each) => each.name === name);
  if (!found)
    throw new Error(
      `the plugin brings ${isolators.map((each) => each.name).join(', ') || 'no isolator'}, not ${name}`,
    );
  return found;
}

/** An isolator built as the core builds it, with services in memory; its phases are called one by one. */
export class StartedIsolator {
  readonly definition: IsolatorDefinition;
  readonly taps: readonly TapInfo[];
  readonly log = new RecordingLogger();
  readonly clock = new ManualClock();
  readonly checkpoints: MemoryCheckpoints;

  /** @param checkpoints  those of an earlier one, to try a restart */
  constructor(start: StartOptions, checkpoints = new MemoryCheckpoints()) {
    this.definition = definitionOf(start.plugin, start.isolator);
    this.checkpoints = checkpoints;
    this.taps = collectTaps(this.#build(start));
  }

  #build({ plugin, options = {}, environment, services = [] }: StartOptions): Isolator {
    const { name, implementation, options: schema = z.strictObject({}) } = this.definition;
    const scope = new InjectionContainer({ defaultScope: 'Singleton' });
    scope.bind(Logger).toConstantValue(this.log);
    scope.bind(Clock).toConstantValue(this.clock);
    scope.bind(Checkpoints).toConstantValue(this.checkpoints);
    scope.bind(HostEnvironment).toConstantValue({ ...ENVIRONMENT, isolation: [name], ...environment });
    scope.bind(IsolatorOptions).toConstantValue(schema.parse(options));
    for (const [token, service] of services) scope.bind(token).toConstantValue(service);
    for (const { token, implementation: service } of plugin.services ?? [])
      if (!services.some(([given]) => given === token)) scope.bind(token).to(service);
    scope.bind(implementation).toSelf();
    return scope.get<Isolator>(implementation);
  }

  /** Calls a phase as the core does; resolves when it has finished. Nothing happens if the isolator does not tap it. */
  async call(phase: Phase, ...args: readonly unknown[]): Promise<void> {
    for (const tap of this.taps.filter((each) => each.phase === phase)) await callTap(tap, args);
  }

  /** Calls `prepare` and returns the plan. */
  async prepare(container: Container, plan: LaunchPlan = fakePlan(container)): Promise<LaunchPlan> {
    plan.contributor = this.definition.name;
    await this.call('prepare', container, plan);
    return plan;
  }
}

const ENVIRONMENT = { workDir: '/var/lib/caisson', runtimeDir: '/run/caisson', launcher: 'linux' };

function collectTaps(isolator: Isolator): TapInfo[] {
  const taps: TapInfo[] = [];
  const hooks = createHooks();
  for (const phase of PHASES) {
    const hook = hooks[phase] as unknown as { intercept(i: { register(info: object): object }): void };
    hook.intercept({
      register(info) {
        taps.push({ ...(info as TapInfo), phase });
        return info;
      },
    });
  }
  isolator.apply(hooks);
  return taps;
}

async function callTap({ name, phase, type, fn }: TapInfo, args: readonly unknown[]): Promise<void> {
  const result =
    type === 'async'
      ? await new Promise((resolve, reject) => {
          fn(...args, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value)));
        })
      : await fn(...args);
  if (result !== undefined)
    throw new TypeError(
      `${name} returned a value from ${phase}: a tap fills in what it was given, and returns nothing`,
    );
}
