/** Calls about containers. The nested ones of Mesos are the same calls, for ids that have a parent. */
import { constants } from 'node:os';
import { type ContainerId, isCaissonError, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { fromWire, WireIdSchema } from '../http/ids.js';
import { containerEntries } from '../views/containers.js';
import { containerDetails } from '../views/details.js';
import { terminationView } from '../views/termination.js';
import { type Call, type Caller, defineCall, type ReadyContext } from './call.js';
import {
  CommandInfoSchema,
  ContainerInfoSchema,
  configOf,
  type LaunchMessage,
  LaunchSchema,
} from './launch-message.js';
import { LimitsSchema, limitsOf, ResourceSchema, resourcesOf } from './resources.js';
import { DurationInfo, milliseconds, nanoseconds } from './values.js';

const SIGKILL = constants.signals.SIGKILL;
const SIGTERM = constants.signals.SIGTERM;
const DEFAULT_GRACE = { nanoseconds: 10e9 };

const Id = z.object({ container_id: WireIdSchema });
const signal = z.number().int().min(1).max(64);
const Kill = Id.extend({ signal: signal.default(SIGKILL) });
const NestedLaunch = Id.extend({
  command: CommandInfoSchema.optional(),
  container: ContainerInfoSchema.optional(),
});

async function launch(message: LaunchMessage, { containers, settings }: ReadyContext): Promise<undefined> {
  const id = fromWire(message.container_id);
  const problem = problemOfPlace(message);
  if (problem) throw apiErrors.CALL_INVALID('LAUNCH_CONTAINER', [problem]);
  const usesDefault = message.container_id.parent === undefined && !message.container;
  await containers.launch(id, { ...(usesDefault && settings.defaultContainer), ...configOf(message) });
  return undefined;
}

/** What only outermost containers may have, or only nested ones. */
function problemOfPlace({ container_id, container, resources, limits }: LaunchMessage): string | undefined {
  const shares = container?.linux_info?.share_cgroups;
  const isInner = container_id.parent?.parent !== undefined;
  if (container_id.parent === undefined && shares === true)
    return 'share_cgroups: an outermost container has none to share';
  if (isInner && (resources.length > 0 || limits !== undefined || shares === false))
    return 'resources, limits and cgroups of its own are for the first level of nesting';
  return undefined;
}

/** 200 launched; 202 if there is one of this id; 400 with the reason; 500 if the host has no room for its files. */
export function statusOfLaunch(error: unknown): number | undefined {
  if (!isCaissonError(error)) return undefined;
  if (error.code === 'CONTAINER_EXISTS') return 202;
  if (error.code === 'CONTAINERIZER_CLOSED') return 503;
  return error.kind === 'exhausted' ? 500 : 400;
}

/** Waits for the end, or for the caller to go. */
function untilEnded(
  id: ContainerId,
  { containers, switchboard, metrics, settings }: ReadyContext,
  { signal: gone }: Caller,
) {
  const limit = settings.limits.waiters;
  if (metrics.waiters >= limit) throw apiErrors.TOO_BUSY('waiters', limit);
  metrics.waiters += 1;
  const ended = containers.wait(id).then(async (termination) => {
    await switchboard.drained(id);
    return termination;
  });
  const left = new Promise<undefined>((resolve) =>
    gone.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  return Promise.race([ended, left]).finally(() => {
    metrics.waiters -= 1;
  });
}

async function wait({ container_id }: z.infer<typeof Id>, context: ReadyContext, caller: Caller) {
  const termination = await untilEnded(fromWire(container_id), context, caller);
  return termination && terminationView(termination);
}

function kill(
  { container_id, signal: number }: z.infer<typeof Kill>,
  { containers }: ReadyContext,
): undefined {
  const id = fromWire(container_id);
  if (!containers.signal(id, number)) throw apiErrors.CONTAINER_GONE(id);
}

/** A child that is forgotten already is removed: the call may be repeated. */
async function remove(
  { container_id }: z.infer<typeof Id>,
  { containers }: ReadyContext,
): Promise<undefined> {
  try {
    await containers.remove(fromWire(container_id));
  } catch (error) {
    const isUnknown = isCaissonError(error) && error.code === 'CONTAINER_UNKNOWN';
    if (!isUnknown || !container_id.parent) throw error;
    containers.inspect(fromWire(rootOf(container_id)));
  }
}

const rootOf = (id: z.infer<typeof WireIdSchema>): z.infer<typeof WireIdSchema> =>
  id.parent ? rootOf(id.parent) : id;

const Stop = Id.extend({
  /** 0: none, the container knows already. */
  signal: z.number().int().min(0).max(64).default(SIGTERM),
  grace_period: DurationInfo.default(DEFAULT_GRACE),
});

/** A signal, and for what is left after the grace period the end. */
async function stop(
  { container_id, signal: number, grace_period }: z.infer<typeof Stop>,
  context: ReadyContext,
) {
  const { containers } = context;
  const id = fromWire(container_id);
  if (number > 0) containers.signal(id, number);
  const ended = containers.wait(id);
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<'over'>((resolve) => {
    timer = setTimeout(resolve, milliseconds(grace_period), 'over');
  });
  const first = await Promise.race([ended, grace]);
  clearTimeout(timer);
  return terminationView(first === 'over' ? await containers.destroy(id) : first);
}

/** The signal was sent; of the grace period some is over. */
const restOfStop = (input: z.infer<typeof Stop>, elapsedMs: number) => ({
  type: 'STOP_CONTAINER',
  stop_container: {
    ...input,
    signal: 0,
    grace_period: nanoseconds(Math.max(0, milliseconds(input.grace_period) - elapsedMs)),
  },
});

/** The deprecated calls of Mesos: the same, and the id must have a parent. */
function nested(call: Call): Call {
  const type = call.type.replace('_CONTAINER', '_NESTED_CONTAINER');
  const handle: Call['handle'] = (input, context, caller) => {
    if (!(input as z.infer<typeof Id>).container_id.parent)
      throw apiErrors.CALL_INVALID(type, ['container_id.parent: required']);
    return call.handle(input, context, caller);
  };
  return { ...call, type, summary: `${call.type} of a nested container`, handle };
}

const launchCall = defineCall({
  type: 'LAUNCH_CONTAINER',
  summary: 'launch a container; 200 once its command was executed, 202 if there is one of this id',
  right: 'write',
  input: LaunchSchema,
  handle: launch,
  statusOf: statusOfLaunch,
});
const waitCall = defineCall({
  type: 'WAIT_CONTAINER',
  summary: 'wait for the end of a container, also of one that ended before',
  right: 'read',
  input: Id,
  lasts: true,
  handle: wait,
});
const killCall = defineCall({
  type: 'KILL_CONTAINER',
  summary: 'send a signal to the first process of a container; SIGKILL by default',
  right: 'write',
  input: Kill,
  handle: kill,
});
const removeCall = defineCall({
  type: 'REMOVE_CONTAINER',
  summary: 'forget a container that has ended, and delete its files',
  right: 'write',
  input: Id,
  handle: remove,
});

export const containerCalls: readonly Call[] = [
  launchCall,
  waitCall,
  killCall,
  removeCall,
  {
    ...nested(launchCall),
    input: NestedLaunch.transform((message): LaunchMessage => ({ ...message, resources: [] })),
  },
  nested(waitCall),
  nested(killCall),
  nested(removeCall),
  defineCall({
    type: 'STOP_CONTAINER',
    summary: 'a signal (SIGTERM), a grace period (10 s), then the end; answers as WAIT_CONTAINER',
    right: 'write',
    input: Stop,
    lasts: true,
    continued: restOfStop,
    handle: stop,
  }),
  defineCall({
    type: 'UPDATE_CONTAINER',
    summary: 'change the resources of a running container',
    right: 'write',
    input: Id.extend({ resources: z.array(ResourceSchema), limits: LimitsSchema.optional() }),
    handle: async ({ container_id, resources, limits }, { containers }) => {
      await containers.update(fromWire(container_id), resourcesOf(resources), limits && limitsOf(limits));
      return undefined;
    },
  }),
  defineCall({
    type: 'GET_CONTAINER',
    summary: 'everything about a container: configuration, plan, timings, status, statistics',
    right: 'read',
    input: Id.extend({ show_system_calls: z.boolean().default(false) }),
    handle: ({ container_id, show_system_calls }, context) =>
      containerDetails(fromWire(container_id), context, { systemCalls: show_system_calls }),
  }),
  defineCall({
    type: 'GET_CONTAINERS',
    summary:
      'containers with their status and statistics; every outermost one of this agent is a standalone one',
    right: 'read',
    input: z
      .object({ show_nested: z.boolean().default(false), show_standalone: z.boolean().default(true) })
      .default({ show_nested: false, show_standalone: true }),
    handle: async ({ show_nested, show_standalone }, context) => ({
      containers: show_standalone ? await containerEntries(context, { nested: show_nested }) : [],
    }),
  }),
];
