/** `attach`: the caller's stdio as that of a container which goes on without him. */
import { statusOfSignal } from '../exit-status.js';
import type { AgentClient } from './agent-client.js';
import { wait } from './change.js';
import { Connection } from './connection.js';
import { DEFAULT_DETACH_KEYS, DetachKeys } from './detach-keys.js';
import { toWire } from './messages.js';
import { onSignals } from './on-signals.js';

export interface AttachFlags {
  /** `--no-stdin`: only looks. */
  readonly stdin: boolean;
  readonly detachKeys?: string;
}

/** The exit status is the container's; 0 for who detached by the keys for it. */
export async function attach(
  client: AgentClient,
  id: string,
  { stdin, detachKeys = DEFAULT_DETACH_KEYS }: AttachFlags,
): Promise<number> {
  const container_id = toWire(id);
  const keys = DetachKeys.parse(detachKeys);
  const { config } = await client.call<{ config: { stdio?: string } }>('GET_CONTAINER', { container_id });
  const output = await client.open('ATTACH_CONTAINER_OUTPUT', { container_id });
  const isTerminal = config.stdio === 'terminal';
  const connection = new Connection(client, id, {
    isTerminal,
    stdin: stdin ? 'hand on' : 'leave',
    detachKeys: isTerminal ? keys : undefined,
  });
  let signal: NodeJS.Signals | undefined;
  const stopListening = onSignals((received) => {
    signal ??= received;
    connection.leave();
  });
  try {
    const outcome = await connection.show(output);
    if (outcome === 'over') return await wait(client, id, {});
    return outcome === 'unread' ? statusOfSignal('SIGPIPE') : signal ? statusOfSignal(signal) : 0;
  } finally {
    stopListening();
  }
}
