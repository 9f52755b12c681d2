/** `caisson run`: one container in the foreground, from its configuration to its end. */
import { Containerizer, loadConfiguration } from '@caisson/core';
import { type ContainerConfig, type ContainerId, type Termination, withCause } from '@caisson/plugin-sdk';
import type { RunFlags } from '../commands/run.js';
import { loadOptionsOf } from '../configuration-flags.js';
import { errors } from '../errors.js';
import { statusOfError, statusOfSignal, statusOfTermination } from '../exit-status.js';
import { errorAsObject } from '../report.js';
import { describeSelection } from '../selection.js';
import { containerConfigOf } from './container-config.js';
import { SignalForwarding } from './signals.js';
import { relay } from './terminal.js';

/** How a container of `run` ended. */
interface Ended {
  readonly id: ContainerId;
  readonly termination: Termination;
  /** The signal that ended it here, since the command could not receive it. */
  readonly endedBy: NodeJS.Signals | undefined;
  /** If it is kept. */
  readonly sandbox: string | undefined;
}

const say = (text: string): boolean => process.stderr.write(text);
/** The command may have left a line unfinished. */
const sayJson = (value: object): boolean => say(`\n${JSON.stringify(value)}\n`);

/** Returns the exit status of `caisson`. Throws what kept the command from running. */
export async function run(argv: readonly string[], flags: RunFlags): Promise<number> {
  try {
    const ended = await runContainer(argv, flags);
    const exitStatus = statusOf(ended);
    if (flags.json) sayJson({ ...ended, exitStatus });
    else say(epilogue(ended));
    return exitStatus;
  } catch (error) {
    if (!flags.json) throw error;
    const exitStatus = statusOfError(error);
    sayJson({ error: errorAsObject(error), exitStatus });
    return exitStatus;
  }
}

async function runContainer(argv: readonly string[], flags: RunFlags): Promise<Ended> {
  const { columns, rows, isTTY } = process.stdout;
  const config = containerConfigOf(argv, flags, {
    directory: process.cwd(),
    environment: process.env,
    windowSize: isTTY ? { columns, rows } : undefined,
  });
  const configuration = await loadConfiguration(loadOptionsOf(flags));
  const containerizer = await Containerizer.create(configuration, { transient: true });
  try {
    if (!flags.quiet && !flags.json)
      say(`caisson: ${describeSelection(containerizer.selection, configuration)}\n`);
    return await inForeground(containerizer, config, flags);
  } finally {
    await containerizer.close();
  }
}

async function inForeground(
  containerizer: Containerizer,
  config: ContainerConfig,
  flags: RunFlags,
): Promise<Ended> {
  const signals = new SignalForwarding(containerizer, config);
  try {
    const { id, sandbox } = await containerizer.launch(flags.name, config);
    const termination = await untilItEnds(containerizer, id);
    await containerizer.remove(id, { keepSandbox: flags.keep === true });
    return { id, termination, endedBy: signals.endedBy, sandbox: flags.keep ? sandbox : undefined };
  } catch (error) {
    throw signals.endedBy ? withCause(errors.INTERRUPTED(signals.endedBy), error) : error;
  } finally {
    signals.stop();
  }
}

async function untilItEnds(containerizer: Containerizer, id: ContainerId): Promise<Termination> {
  const terminal = containerizer.terminal(id);
  if (!terminal) return containerizer.wait(id);
  const connection = relay(terminal, process.stdin, process.stdout);
  try {
    const termination = await containerizer.wait(id);
    await connection.drained;
    return termination;
  } finally {
    connection.restore();
  }
}

function statusOf({ endedBy, termination }: Ended): number {
  return endedBy ? statusOfSignal(endedBy) : statusOfTermination(termination);
}

/** What the exit status cannot say. */
function epilogue({ id, termination, sandbox }: Ended): string {
  const { limitation, message, status, reason } = termination;
  const cause = limitation?.message ?? (status === undefined ? (message ?? reason) : undefined);
  return [
    cause === undefined ? '' : `caisson: container ${id} was ended: ${cause}\n`,
    sandbox === undefined ? '' : `caisson: kept ${sandbox}\n`,
  ].join('');
}
