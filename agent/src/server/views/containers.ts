/** Containers with their status and statistics, as GET_CONTAINERS, /containers and /monitor/statistics list them. */
import type { Containerizer, ContainerSummary } from '@caisson/core';
import type { ContainerStatus, ResourceStatistics } from '@caisson/plugin-sdk';
import type { ReadyContext } from '../context.js';
import { toWire } from '../http/ids.js';
import { terminationView } from './termination.js';

/** Labels with which a client says whose a container is: Mesos's ids for those who sort by them. */
const FRAMEWORK = 'framework_id';
const EXECUTOR = 'executor_id';

export const ownerOf = ({ labels }: Pick<ContainerSummary, 'labels'>) => ({
  framework: labels[FRAMEWORK] ?? '',
  executor: labels[EXECUTOR] ?? '',
});

export interface Measured {
  readonly summary: ContainerSummary;
  /** Undefined if it has ended, or could not be told. */
  readonly status: ContainerStatus | undefined;
  readonly statistics: ResourceStatistics | undefined;
}

type Source = Pick<Containerizer, 'status' | 'usage'>;

/** One that ends meanwhile is listed without. */
async function measure(containers: Source, summary: ContainerSummary): Promise<Measured> {
  if (summary.state === 'ENDED') return { summary, status: undefined, statistics: undefined };
  const [status, statistics] = await Promise.all([
    containers.status(summary.id).catch(() => undefined),
    containers.usage(summary.id).catch(() => undefined),
  ]);
  return { summary, status, statistics };
}

export const measureAll = (
  { containers }: ReadyContext,
  isWanted: (summary: ContainerSummary) => boolean,
): Promise<Measured[]> =>
  Promise.all(
    containers
      .list()
      .filter(isWanted)
      .map((each) => measure(containers, each)),
  );

/** `container_id` as the API has it. */
export const wireStatus = (status: ContainerStatus) => ({
  ...status,
  container_id: toWire(status.container_id),
});

/** Entries of GET_CONTAINERS. */
export async function containerEntries(context: ReadyContext, { nested }: { readonly nested: boolean }) {
  const all = await measureAll(context, ({ parentId }) => nested || parentId === undefined);
  return all.map((each) => ({ ...idsOf(each.summary), ...factsOf(each) }));
}

function idsOf(summary: ContainerSummary) {
  const { framework, executor } = ownerOf(summary);
  return {
    ...(framework && { framework_id: { value: framework } }),
    ...(executor && { executor_id: { value: executor } }),
    container_id: toWire(summary.id),
  };
}

function factsOf({
  summary: { state, createdAt, termination, problem, sandbox },
  status,
  statistics,
}: Measured) {
  return {
    state,
    created: createdAt / 1000,
    sandbox,
    ...(problem !== undefined && { problem }),
    ...(termination && { termination: terminationView(termination) }),
    ...(status && { container_status: wireStatus(status) }),
    ...(statistics && { resource_statistics: statistics }),
  };
}
