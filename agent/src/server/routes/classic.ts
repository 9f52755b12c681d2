/** The endpoints that Mesos has beside the operator API: documents to read. */

import { parseDuration, z } from '@caisson/plugin-sdk';
import type { FastifyRequest } from 'fastify';
import type { AgentContext, ReadyContext } from '../context.js';
import { apiErrors } from '../errors.js';
import type { Route } from '../http/route.js';
import { measureAll, ownerOf, wireStatus } from '../views/containers.js';
import { flagsOf } from '../views/flags.js';
import { stateDocument } from '../views/state.js';
import { versionInfo } from '../views/version.js';

const Filter = z.strictObject({
  container_id: z.string().optional(),
  framework_id: z.string().optional(),
  executor_id: z.string().optional(),
});

/** `container_id` alone, `framework_id` alone, or with `executor_id`. @throws REQUEST_MALFORMED */
function filterOf({ query }: FastifyRequest): z.infer<typeof Filter> {
  const parsed = Filter.safeParse({ ...(query as object) });
  const { container_id, framework_id, executor_id } = parsed.data ?? {};
  const fits =
    parsed.success &&
    (container_id === undefined || (framework_id === undefined && executor_id === undefined)) &&
    (executor_id === undefined || framework_id !== undefined);
  if (!fits)
    throw apiErrors.REQUEST_MALFORMED(
      'filter by container_id, or by framework_id, or by that and executor_id',
    );
  return parsed.data;
}

/** All containers, nested ones too: clients of Mesos see executors here, and these are all alike. */
async function listContainers(request: FastifyRequest, context: ReadyContext) {
  const { container_id, framework_id, executor_id } = filterOf(request);
  const measured = await measureAll(context, (each) => {
    const { framework, executor } = ownerOf(each);
    return (
      each.state !== 'ENDED' &&
      (container_id ?? each.id) === each.id &&
      (framework_id ?? framework) === framework &&
      (executor_id ?? executor) === executor
    );
  });
  return measured.map(({ summary, status, statistics }) => ({
    container_id: summary.id,
    ...idsOf(summary),
    ...(status && { status: wireStatus(status) }),
    ...(statistics && { statistics }),
  }));
}

function idsOf(summary: Parameters<typeof ownerOf>[0]) {
  const { framework, executor } = ownerOf(summary);
  return { framework_id: framework, executor_id: executor, executor_name: '', source: '' };
}

/** Those that have statistics. The id of the container is there too, since those of Mesos may be empty. */
async function listStatistics(context: ReadyContext) {
  const measured = await measureAll(context, ({ state }) => state !== 'ENDED');
  return measured
    .filter(({ statistics }) => statistics)
    .map(({ summary, statistics }) => ({ ...idsOf(summary), container_id: summary.id, statistics }));
}

async function snapshot({ query }: FastifyRequest, { metrics }: AgentContext) {
  const { timeout } = query as { timeout?: unknown };
  if (timeout !== undefined && (typeof timeout !== 'string' || parseDuration(timeout) === undefined))
    throw apiErrors.REQUEST_MALFORMED('timeout: a duration such as 10secs is expected');
  return metrics.snapshot();
}

const ready = (context: AgentContext): ReadyContext => {
  if (!context.containers) throw apiErrors.RECOVERING();
  return context as ReadyContext;
};

const get = (route: Omit<Route, 'method'>): Route => ({ method: 'GET', ...route });

export const classicRoutes: readonly Route[] = [
  get({
    path: '/health',
    summary: '200 once the agent answers; nothing in the body',
    right: undefined,
    early: true,
    handle: (_request, reply) => reply.code(200).send(),
  }),
  get({
    path: '/version',
    summary: 'the version of the agent',
    right: 'read',
    early: true,
    handle: versionInfo,
  }),
  get({
    path: '/flags',
    summary: 'the settings that count, as text',
    right: 'read',
    early: true,
    handle: (_request, _reply, context) => ({ flags: flagsOf(context) }),
  }),
  get({
    path: '/state',
    summary: 'everything that the agent knows; 503 while it recovers',
    right: 'read',
    handle: (_request, _reply, context) => stateDocument(ready(context)),
  }),
  get({
    path: '/containers',
    summary: 'containers that live, with their status and statistics',
    right: 'read',
    handle: (request, _reply, context) => listContainers(request, ready(context)),
  }),
  get({
    path: '/monitor/statistics',
    summary: 'statistics of the containers that live',
    right: 'read',
    handle: (_request, _reply, context) => listStatistics(ready(context)),
  }),
  get({
    path: '/metrics/snapshot',
    summary: 'each metric and its value',
    right: 'read',
    early: true,
    handle: (request, _reply, context) => snapshot(request, context),
  }),
  get({
    path: '/metrics',
    summary: 'the metrics for Prometheus',
    right: 'read',
    early: true,
    handle: async (_request, reply, { metrics }) => {
      const { type, body } = await metrics.text();
      return reply.type(type).send(body);
    },
  }),
];
