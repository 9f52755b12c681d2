/**
 * usage and status: each isolator fills in an object of its own, so that one that fails, or answers when nobody waits
 * any more, takes nothing of the others with it. What is no figure is left out, and its isolator named (K2).
 */
import type { ContainerStatus, Logger, ResourceStatistics } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { findHostileData, formatValue } from '../plain-data.js';
import type { ManagedContainer } from './managed-container.js';

const MIB = 2 ** 20;

export async function usageOf(container: ManagedContainer, log: Logger): Promise<ResourceStatistics> {
  const statistics: ResourceStatistics = { timestamp: Date.now() / 1000 };
  await collect(container, 'usage', statistics, log);
  statistics.timestamp = Date.now() / 1000;
  return { ...limitsOf(container), ...statistics };
}

export async function statusOf(container: ManagedContainer, log: Logger): Promise<ContainerStatus> {
  const status: ContainerStatus = { container_id: container.id };
  await collect(container, 'status', status, log);
  status.container_id = container.id;
  return container.pid === undefined ? status : { ...status, executor_pid: container.pid };
}

/** What the configuration allows; an isolator that knows better wins (spec: containerizer, usage). */
function limitsOf({ resources, limits }: ManagedContainer): Partial<ResourceStatistics> {
  const cpus = limits.cpus ?? resources.cpus;
  const mem = limits.mem ?? resources.mem;
  return {
    ...(resources.cpus !== undefined && { cpus_soft_limit: resources.cpus }),
    ...(cpus !== undefined && { cpus_limit: cpus }),
    ...(resources.mem !== undefined && { mem_soft_limit_bytes: resources.mem * MIB }),
    ...(mem !== undefined && { mem_limit_bytes: mem * MIB }),
  };
}

async function collect(
  container: ManagedContainer,
  phase: 'usage' | 'status',
  into: ResourceStatistics | ContainerStatus,
  log: Logger,
): Promise<void> {
  const { generation, subject, view, id } = container;
  const parts = new Map<string, Record<string, unknown>>();
  const failures = await generation.phases.parallel(phase, subject, (tap) => {
    const part = { ...into };
    parts.set(tap.isolator, part as Record<string, unknown>);
    return [view, part];
  });
  for (const { isolator, error } of failures) {
    parts.delete(isolator);
    log.warn({ container: id, isolator, code: error.code }, error.message);
  }
  for (const [isolator, part] of parts) {
    const problem = merge(into as unknown as Record<string, unknown>, part);
    if (problem)
      log.warn({ container: id, isolator }, coreErrors.TAP_NONSENSE(isolator, phase, id, problem).message);
  }
}

/** Adds what one isolator filled in; returns what of it is nonsense. */
function merge(into: Record<string, unknown>, part: Record<string, unknown>): string | undefined {
  let problem: string | undefined;
  for (const [key, value] of Object.entries(part)) {
    const wrong = problemOf(key, value);
    if (wrong) problem = wrong;
    else if (Array.isArray(value)) into[key] = [...((into[key] as unknown[] | undefined) ?? []), ...value];
    else if (isObject(value)) into[key] = { ...(into[key] as object | undefined), ...value };
    else into[key] = value;
  }
  return problem;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Fields of the statistics are figures, save these. */
const STRUCTURED = ['disk_statistics', 'extensions', 'cgroup_info', 'network_infos'];

function problemOf(key: string, value: unknown): string | undefined {
  const hostile = findHostileData(value);
  if (hostile) return `${key} holds ${hostile.problem}`;
  const fits = STRUCTURED.includes(key) ? isObject(value) : ['number', 'string'].includes(typeof value);
  return fits || value === undefined ? undefined : `${key} is ${formatValue(value)}`;
}
