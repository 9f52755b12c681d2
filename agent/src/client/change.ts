/** `launch`, `wait`, `stop`, `kill`, `rm`, `update`, `events`: what happens to containers. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { type PersistentVolume, parseDuration, type Resources } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';
import { statusOfTermination } from '../exit-status.js';
import { type ContainerFlags, containerConfigOf } from '../run/container-config.js';
import { toWireVolume } from '../server/calls/volumes.js';
import type { AgentClient } from './agent-client.js';
import { describeEnd, type Ended, toWire, wireResources } from './messages.js';

const print = (text: string): boolean => process.stdout.write(text);

/** Prints the id. The command was executed then. */
export async function launch(
  client: AgentClient,
  argv: readonly string[],
  flags: ContainerFlags & { readonly name?: string; readonly interactive?: true },
): Promise<number> {
  const caller = { directory: process.cwd(), environment: process.env };
  // An agent has no stdio to lend, and goes on living.
  const { stdio: _inherit, dieWithParent: _dies, ...config } = containerConfigOf(argv, flags, caller);
  const stdio = flags.terminal ? 'terminal' : flags.interactive ? 'pipes' : 'files';
  const id = flags.name ?? randomUUID();
  await client.call('LAUNCH_CONTAINER', { container_id: toWire(id), config: { ...config, stdio } });
  print(`${id}\n`);
  return 0;
}

function sayEnd(ended: Ended, asJson: boolean): number {
  if (asJson) print(`${JSON.stringify(ended)}\n`);
  else if (ended.message) process.stderr.write(`caisson: ${describeEnd(ended)}: ${ended.message}\n`);
  return statusOfTermination({ status: ended.exit_status, reason: ended.cause });
}

/** The exit status is the container's. */
export async function wait(client: AgentClient, id: string, { json }: { json?: true }): Promise<number> {
  return sayEnd(await client.call<Ended>('WAIT_CONTAINER', { container_id: toWire(id) }), json === true);
}

export async function stop(
  client: AgentClient,
  ids: readonly string[],
  { signal, grace }: { readonly signal?: string; readonly grace?: string },
): Promise<number> {
  const input = {
    ...(signal !== undefined && { signal: signalNumber(signal) }),
    ...(grace !== undefined && { grace_period: { nanoseconds: Math.round(durationOf(grace) * 1e6) } }),
  };
  await Promise.all(ids.map((id) => client.call('STOP_CONTAINER', { container_id: toWire(id), ...input })));
  return 0;
}

export async function kill(
  client: AgentClient,
  ids: readonly string[],
  { signal = 'KILL' }: { signal?: string },
): Promise<number> {
  const number = signalNumber(signal);
  for (const id of ids) await client.call('KILL_CONTAINER', { container_id: toWire(id), signal: number });
  return 0;
}

/** With `--force` one that runs is ended first. */
export async function remove(
  client: AgentClient,
  ids: readonly string[],
  { force }: { force?: true },
): Promise<number> {
  for (const id of ids) {
    const container_id = toWire(id);
    if (force) await client.call('STOP_CONTAINER', { container_id, signal: constants.signals.SIGKILL });
    await client.call('REMOVE_CONTAINER', { container_id });
  }
  return 0;
}

interface UpdateFlags extends Pick<ContainerFlags, 'resource' | 'limit' | 'persistentVolume'> {
  readonly persistentVolumes?: boolean;
}

export async function update(client: AgentClient, id: string, flags: UpdateFlags): Promise<number> {
  const { resource, limit, persistentVolume } = flags;
  const caller = { directory: '/', environment: {} };
  const config = containerConfigOf(['-'], { resource, limit, persistentVolume }, caller);
  const { volumes, ...amounts } = config.resources ?? {};
  await client.call('UPDATE_CONTAINER', {
    container_id: toWire(id),
    resources: [
      ...wireResources(amounts),
      ...(volumes ?? (await keptVolumes(client, id, flags))).map(toWireVolume),
    ],
    ...(config.limits && {
      limits: Object.fromEntries(Object.entries(config.limits).map(([name, value]) => [name, { value }])),
    }),
  });
  return 0;
}

/** An update says all that a container shall have: what nobody wants changed is asked for first. */
async function keptVolumes(
  client: AgentClient,
  id: string,
  { persistentVolumes = true }: UpdateFlags,
): Promise<readonly PersistentVolume[]> {
  if (!persistentVolumes) return [];
  const input = { container_id: toWire(id) };
  const { resources } = await client.call<{ resources: Resources }>('GET_CONTAINER', input);
  return resources.volumes ?? [];
}

/** A line of JSON for each, until the agent ends or the caller does. */
export async function events(client: AgentClient): Promise<number> {
  for await (const record of client.stream('SUBSCRIBE'))
    if (record.type !== 'HEARTBEAT') print(`${JSON.stringify(record)}\n`);
  return 0;
}

/** `TERM`, `SIGTERM` or `15`. */
export function signalNumber(text: string): number {
  const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
  const number = /^\d+$/.test(text) ? Number(text) : (constants.signals as Record<string, number>)[name];
  if (number === undefined) throw errors.FLAG_INVALID('--signal', text, 'TERM');
  return number;
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw errors.FLAG_INVALID('--grace', text, '10secs');
  return ms;
}
