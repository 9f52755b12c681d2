/**
 * /state and GET_STATE. An agent without a master has no frameworks; each outermost container is an executor, below the
 * framework and with the id that its labels give, or below the one without a name.
 */
import type { ContainerSummary } from '@caisson/core';
import type { Resources } from '@caisson/plugin-sdk';
import type { ReadyContext } from '../context.js';
import { ownerOf } from './containers.js';
import { flagsOf } from './flags.js';
import { versionInfo } from './version.js';

const NOTHING = { cpus: 0, gpus: 0, mem: 0, disk: 0 };

/** A volume is disk too. */
function amountsOf({ volumes = [], ...amounts }: Readonly<Resources>) {
  const all = { ...NOTHING, ...amounts };
  return { ...all, disk: volumes.reduce((sum, { disk }) => sum + disk, all.disk) };
}

function executorOf({ containers }: ReadyContext, summary: ContainerSummary) {
  const { executor } = ownerOf(summary);
  const { resources, config } = containers.inspect(summary.id);
  const labels = Object.entries(config.labels ?? {}).map(([key, value]) => ({ key, value }));
  return {
    id: executor,
    name: '',
    source: '',
    container: summary.id,
    directory: summary.sandbox,
    resources: amountsOf(resources),
    labels,
    tasks: [],
    queued_tasks: [],
    completed_tasks: [],
  };
}

function frameworksOf(context: ReadyContext) {
  const outermost = context.containers.list().filter(({ parentId }) => parentId === undefined);
  const byFramework = grouped(outermost);
  return [...byFramework].map(([id, members]) => ({
    id,
    name: id,
    user: '',
    failover_timeout: 0,
    checkpoint: true,
    hostname: context.settings.hostname,
    roles: [],
    executors: members.filter(({ state }) => state !== 'ENDED').map((each) => executorOf(context, each)),
    completed_executors: members
      .filter(({ state }) => state === 'ENDED')
      .map((each) => executorOf(context, each)),
  }));
}

function grouped(list: readonly ContainerSummary[]): Map<string, ContainerSummary[]> {
  const groups = new Map<string, ContainerSummary[]>();
  for (const each of list) {
    const { framework } = ownerOf(each);
    groups.set(framework, [...(groups.get(framework) ?? []), each]);
  }
  return groups;
}

/** GET /state */
export function stateDocument(context: ReadyContext) {
  const { settings, startTime } = context;
  return {
    ...versionInfo(),
    start_time: startTime,
    id: '',
    pid: `slave(1)@${settings.tcp?.ip ?? '0.0.0.0'}:${settings.tcp?.port ?? 0}`,
    hostname: settings.hostname,
    capabilities: [],
    resources: NOTHING,
    reserved_resources: {},
    unreserved_resources: NOTHING,
    reserved_resources_full: {},
    unreserved_resources_full: [],
    resource_providers: [],
    attributes: {},
    flags: flagsOf(context),
    frameworks: frameworksOf(context),
    completed_frameworks: [],
  };
}

/** GET_STATE */
export function stateOf(context: ReadyContext) {
  const executors = frameworksOf(context).flatMap(({ id, executors, completed_executors }) => {
    const info = ({ id: executor, container, resources }: ReturnType<typeof executorOf>) => ({
      executor_info: {
        executor_id: { value: executor },
        framework_id: { value: id },
        container_id: { value: container },
      },
      resources,
    });
    return [{ running: executors.map(info), completed: completed_executors.map(info) }];
  });
  return {
    get_tasks: {},
    get_executors: {
      executors: executors.flatMap(({ running }) => running),
      completed_executors: executors.flatMap(({ completed }) => completed),
    },
    get_frameworks: {},
  };
}
