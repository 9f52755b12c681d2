/** `attach`: the caller's stdio as that of a container which goes on without him, and when its agent ends. */
import { parseDuration } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';
import { statusOfSignal } from '../exit-status.js';
import type { AgentClient } from './agent-client.js';
import { wait } from './change.js';
import { Connection, type Outcome } from './connection.js';
import { ContinuedOutput } from './continued-output.js';
import { DEFAULT_DETACH_KEYS, DetachKeys } from './detach-keys.js';
import { toWire } from './messages.js';
import { onSignals } from './on-signals.js';
import { Reattachment } from './reattachment.js';

export interface AttachFlags {
  /** `--no-stdin`: only looks. */
  readonly stdin: boolean;
  readonly detachKeys?: string;
  readonly reattachWithin?: string;
}

const REATTACH_WITHIN = '1mins';

/** The exit status is the container's; 0 for who detached by the keys for it. */
export async function attach(
  client: AgentClient,
  id: string,
  { stdin, detachKeys = DEFAULT_DETACH_KEYS, reattachWithin = REATTACH_WITHIN }: AttachFlags,
): Promise<number> {
  const container_id = toWire(id);
  const keys = DetachKeys.parse(detachKeys);
  const withinMs = parseDuration(reattachWithin);
  if (withinMs === undefined) throw errors.FLAG_INVALID('--reattach-within', reattachWithin, REATTACH_WITHIN);
  const { config } = await client.call<{ config: { stdio?: string } }>('GET_CONTAINER', { container_id });
  const output = new ContinuedOutput(client, id);
  const stream = await output.open();
  const isTerminal = config.stdio === 'terminal';
  const connection = new Connection(client, id, {
    isTerminal,
    stdin: stdin ? 'hand on' : 'leave',
    detachKeys: isTerminal ? keys : undefined,
    awaitsAgent: withinMs > 0,
  });
  let signal: NodeJS.Signals | undefined;
  const stopListening = onSignals((received) => {
    signal ??= received;
    connection.leave();
  });
  const within = { ms: withinMs, shown: reattachWithin };
  const leaveBy = isTerminal && stdin ? detachKeys : undefined;
  const reattachment = new Reattachment(client, connection, output, { within, isTerminal, leaveBy });
  try {
    const end = await untilOver(client, id, connection, output, reattachment, stream);
    if (typeof end === 'number') return end;
    return end === 'unread' ? statusOfSignal('SIGPIPE') : signal ? statusOfSignal(signal) : 0;
  } finally {
    connection.close();
    stopListening();
  }
}

/** Over any number of agents. The status of the container, or how it was left before. */
async function untilOver(
  client: AgentClient,
  id: string,
  connection: Connection,
  output: ContinuedOutput,
  reattachment: Reattachment,
  first: AsyncGenerator<Readonly<Record<string, unknown>>>,
): Promise<number | Outcome> {
  for (let stream = first; ; ) {
    try {
      const outcome = await connection.show(stream);
      if (outcome !== 'over') return outcome;
      connection.close();
      // Of one that ended just when another agent took over.
      if ((await connection.show(output.rest())) === 'unread') return 'unread';
      return await wait(client, id, {});
    } catch (error) {
      const next = await reattachment.after(error);
      if (typeof next === 'string') return next;
      stream = next;
    }
  }
}
