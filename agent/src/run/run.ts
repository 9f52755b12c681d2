/** `caisson run`: one container in the foreground, from its configuration to its end. */
import { Containerizer, loadConfiguration } from '@caisson/core';
import { type ContainerConfig, type ContainerId, type Termination, withCause } from '@caisson/plugin-sdk';
import type { RunFlags } from '../commands/run.js';
import { loadOptionsOf } from '../configuration-flags.js';
import { errors } from '../errors.js';
import { statusOfError, statusOfSignal, statusOfTermination } from '../exit-status.js';
import { errorAsObject } from '../report.js';
import { say } from '../say.js';
import { describeSelection } from '../selection.js';
import { type Caller, containerConfigOf } from './container-config.js';
import { Notices } from './notices.js';
import { SignalForwarding } from './signals.js';
import { systemCallsOfLaunch } from './system-calls.js';
import { relay } from './terminal.js';

/** How a container of `run` ended; `--json` prints it. */
interface Ended {
  readonly id: ContainerId;
  readonly launcher: string;
  readonly isolation: readonly string[];
  readonly termination: Termination;
  /** The signal that ended it here, since the command could not receive it. */
  readonly endedBy: NodeJS.Signals | undefined;
  /** If it is kept. */
  readonly sandbox: string | undefined;
}

/** On a line of its own: the command may have left one unfinished. */
const sayJson = (value: object): void => say(`\n${JSON.stringify(value)}\n`);

/** Returns the exit status of `caisson`. Throws what kept the command from running. */
export async function run(argv: readonly string[], flags: RunFlags): Promise<number> {
  const notices = new Notices(flags);
  try {
    const config = containerConfigOf(argv, flags, callerOf(flags));
    if (flags.syscalls)
      return await withContainerizer(flags, notices, (it) => printSystemCalls(it, config, flags));
    const ended = await withContainerizer(flags, notices, (it) => inForeground(it, config, flags));
    const exitStatus = ended.endedBy ? statusOfSignal(ended.endedBy) : statusOfTermination(ended.termination);
    if (flags.json) sayJson({ ...ended, warnings: notices.kept, exitStatus });
    else say(epilogue(ended));
    return exitStatus;
  } catch (error) {
    if (!flags.json) throw error;
    const exitStatus = statusOfError(error);
    sayJson({ error: errorAsObject(error), warnings: notices.kept, exitStatus });
    return exitStatus;
  }
}

function callerOf({ terminal }: RunFlags): Caller {
  return {
    directory: process.cwd(),
    environment: process.env,
    windowSize: terminal ? windowSizeOf(process.stdout) : undefined,
  };
}

const windowSizeOf = ({ columns, rows, isTTY }: NodeJS.WriteStream): Caller['windowSize'] =>
  isTTY ? { columns, rows } : undefined;

async function withContainerizer<T>(
  flags: RunFlags,
  notices: Notices,
  use: (containerizer: Containerizer) => Promise<T>,
): Promise<T> {
  const configuration = await loadConfiguration(loadOptionsOf(flags));
  const containerizer = await Containerizer.create(configuration, { transient: true, log: notices });
  try {
    if (!flags.quiet && !flags.json)
      say(`caisson: ${describeSelection(containerizer.selection, configuration)}\n`);
    return await use(containerizer);
  } finally {
    await containerizer.close();
  }
}

async function printSystemCalls(
  containerizer: Containerizer,
  config: ContainerConfig,
  flags: RunFlags,
): Promise<number> {
  process.stdout.write(`${(await systemCallsOfLaunch(containerizer, flags.name, config)).trimEnd()}\n`);
  return 0;
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
    const { launcher, isolation } = containerizer.selection;
    const kept = flags.keep ? sandbox : undefined;
    return { id, launcher, isolation, termination, endedBy: signals.endedBy, sandbox: kept };
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

/** What the exit status cannot say. */
function epilogue({ id, termination, sandbox }: Ended): string {
  const { limitation, message, status, reason } = termination;
  const cause = limitation?.message ?? (status === undefined ? (message ?? reason) : undefined);
  return [
    cause === undefined ? '' : `caisson: container ${id} was ended: ${cause}\n`,
    sandbox === undefined ? '' : `caisson: kept ${sandbox}\n`,
  ].join('');
}
