/** Everything about a container, but the values of its secrets (threat model A5). */
import { type ContainerId, parentOf } from '@caisson/plugin-sdk';
import { SECRET_VARIABLES } from '../calls/launch-message.js';
import type { ReadyContext } from '../context.js';
import { toWire } from '../http/ids.js';
import { wireStatus } from './containers.js';
import { terminationView } from './termination.js';

const HIDDEN = '(secret)';

type Environment = Readonly<Record<string, string>> | undefined;

const hide = (environment: Environment, secrets: readonly string[]): Environment =>
  environment &&
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, secrets.includes(name) ? HIDDEN : value]),
  );

/** Also those of the one that it is nested in: a DEBUG container has its variables. */
function secretsOf(id: ContainerId, containers: ReadyContext['containers']): string[] {
  const own = containers.inspect(id).config.labels?.[SECRET_VARIABLES]?.split(' ') ?? [];
  const parent = parentOf(id);
  return parent === undefined ? own : [...own, ...secretsOf(parent, containers)];
}

/** @throws CONTAINER_UNKNOWN */
export async function containerDetails(
  id: ContainerId,
  { containers }: ReadyContext,
  { systemCalls }: { readonly systemCalls: boolean },
) {
  const details = containers.inspect(id);
  const { config, plan, createdAt, termination, problem } = details;
  const secrets = secretsOf(id, containers);
  const [status, statistics] = await Promise.all([
    containers.status(id).catch(() => undefined),
    containers.usage(id).catch(() => undefined),
  ]);
  return {
    container_id: toWire(id),
    state: details.state,
    class: details.class,
    ...(details.pid !== undefined && { pid: details.pid }),
    created: createdAt / 1000,
    sandbox: details.sandbox,
    launcher: details.launcher,
    isolation: details.isolation,
    resources: details.resources,
    limits: details.limits,
    config: { ...config, ...(config.environment && { environment: hide(config.environment, secrets) }) },
    ...(plan && { plan: { ...plan, environment: hide(plan.environment, secrets) } }),
    timings: details.timings,
    ...(problem !== undefined && { problem }),
    ...(termination && { termination: terminationView(termination) }),
    ...(status && { container_status: wireStatus(status) }),
    ...(statistics && { resource_statistics: statistics }),
    // They carry the environment as it is.
    ...(systemCalls && secrets.length === 0 && { system_calls: details.systemCalls }),
  };
}
