/** `exec`: a command in a container that runs, with the caller's stdio, until it ends. */
import { randomBytes } from 'node:crypto';
import { statusOfSignal } from '../exit-status.js';
import { type ContainerFlags, containerConfigOf } from '../run/container-config.js';
import type { AgentClient } from './agent-client.js';
import { signalNumber, wait } from './change.js';
import { Connection } from './connection.js';
import { toWire } from './messages.js';
import { onSignals } from './on-signals.js';

export type ExecFlags = Pick<ContainerFlags, 'terminal' | 'user' | 'env' | 'workdir' | 'privileged'> & {
  /** `--no-stdin`: it is at its end from the beginning. */
  readonly stdin: boolean;
  readonly name?: string;
};

/** The exit status is the command's. Signals are passed on to it; it does not outlive us. */
export async function exec(
  client: AgentClient,
  id: string,
  argv: readonly string[],
  flags: ExecFlags,
): Promise<number> {
  const session = `${id}.${flags.name ?? `exec-${randomBytes(4).toString('hex')}`}`;
  const container_id = toWire(session);
  const isTerminal = flags.terminal === true;
  const output = await client.open('LAUNCH_NESTED_CONTAINER_SESSION', {
    container_id,
    config: configOf(argv, flags),
  });
  const connection = new Connection(client, session, {
    isTerminal,
    stdin: flags.stdin ? 'hand on' : 'close',
  });
  const stopListening = onSignals((signal) => {
    const input = { container_id, signal: signalNumber(signal) };
    client.call('KILL_NESTED_CONTAINER', input).catch(() => {}); // it has just ended
  });
  try {
    const outcome = await connection.show(output).finally(() => connection.close());
    if (outcome !== 'over') return statusOfSignal('SIGPIPE');
    const status = await wait(client, session, {});
    await client.call('REMOVE_NESTED_CONTAINER', { container_id }).catch(() => {}); // gone with its parent
    return status;
  } finally {
    stopListening();
  }
}

function configOf(argv: readonly string[], flags: ExecFlags): object {
  const { columns, rows, isTTY } = process.stdout;
  const caller = {
    directory: process.cwd(),
    environment: process.env,
    windowSize: isTTY ? { columns, rows } : undefined,
  };
  const { stdio, dieWithParent: _dies, ...config } = containerConfigOf(argv, flags, caller);
  return { ...config, stdio: stdio === 'terminal' ? 'terminal' : 'pipes' };
}
