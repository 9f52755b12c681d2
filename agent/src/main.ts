/** The command line: arguments to a command, its outcome to an exit status, whatever was thrown to stderr. */
import { Command, CommanderError } from 'commander';
import { defineAgent } from './commands/agent.js';
import { defineAttaching } from './commands/attach.js';
import { defineCompletion } from './commands/completion.js';
import { defineConfig } from './commands/config.js';
import { defineContainers } from './commands/containers.js';
import { defineDoctor } from './commands/doctor.js';
import { definePlugins } from './commands/plugins.js';
import { defineRun } from './commands/run.js';
import { dropNodeOptions, openDebugger } from './debugger.js';
import { takeMesosFlags } from './mesos-flags.js';
import { version } from './version.js';

/** Receives the exit status of the command that ran. */
export type Done = (status: number) => void;

const AFTERWORD = `
Exit status: the command's own, 128+n if signal n ended it; 125 if Caisson failed or its input was wrong,
126 if the command cannot be executed, 127 if it was not found.`;

/** With the one command that `only` names, or else with all. */
export function commandLine(done: Done, only?: string): Command {
  const caisson = new Command('caisson')
    .description('Launches and isolates containers.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', AFTERWORD)
    .enablePositionalOptions() // what follows the command of `run` belongs to that command, its --help too
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // errors are written in one place, by `report`
  defineRun(caisson, done);
  if (only === 'run') return caisson; // to define the others takes 3 ms
  defineAgent(caisson, done);
  defineContainers(caisson, done);
  defineAttaching(caisson, done);
  definePlugins(caisson, done);
  defineConfig(caisson, done);
  defineDoctor(caisson, done);
  defineCompletion(caisson, done);
  return caisson;
}

/** Runs `caisson` with these arguments and returns its exit status. Never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  let status = 0;
  const program = commandLine((result) => {
    status = result;
  }, argv[0]);
  try {
    const debuggerUrl = openDebugger();
    if (debuggerUrl) throw (await import('./errors.js')).errors.DEBUGGER_REFUSED(debuggerUrl);
    dropNodeOptions();
    await program.parseAsync(takeMesosFlags(program, argv), { from: 'user' });
    return status;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0; // --help
    const { reportError } = await import('./report.js');
    return reportError(thrown, argv[0]);
  }
}
