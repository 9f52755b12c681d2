/** The commands that connect the caller's stdio with that of a container: what they take. What they do is in client/. */
import type { Command } from 'commander';
import type { Done } from '../main.js';
import { connect, defineAgentFlags } from './connect.js';
import { repeated } from './container-flags.js';

export function defineAttaching(caisson: Command, done: Done): void {
  defineExec(caisson, done);
  defineAttach(caisson, done);
}

const EXAMPLES = `
Examples:
  $ caisson exec web -- ps -ef
  $ caisson exec -it web -- sh
  $ tar c . | caisson exec web -- tar x -C /srv`;

function defineExec(caisson: Command, done: Done): void {
  const exec = caisson
    .command('exec')
    .description('run a command in a container that runs, with its variables and in its directory')
    .usage('[options] <id> [--] <command> [argument...]')
    .argument('<id>')
    .argument('<command...>', 'looked up in the PATH of the container')
    .passThroughOptions()
    .option('-t, --terminal', 'a terminal of its own, connected to the one of the caller')
    .option('-i, --interactive', "hand the caller's stdin on (it is anyhow)")
    .option('--no-stdin', 'nothing to read: such as in a loop whose input it would take')
    .option('--name <name>', 'the name of the nested container (default: a generated one)')
    .option('--user <user>', 'a name, a uid, or user:group (default: that of the container)')
    .option('--env <name=value>', "a variable; only <name> takes the caller's value (repeatable)", repeated)
    .option('--workdir <directory>', 'working directory inside the container')
    .option('--privileged', 'all capabilities, nothing masked: root on the host')
    .addHelpText('after', EXAMPLES);
  defineAgentFlags(exec).action(async (id: string, argv: string[], flags) => {
    const client = await connect(flags);
    const { exec: run } = await import('../client/exec.js');
    // It stands behind the id, where the argument library hands it on.
    done(await run(client, id, argv[0] === '--' ? argv.slice(1) : argv, flags));
  });
}

function defineAttach(caisson: Command, done: Done): void {
  const attach = caisson
    .command('attach <id>')
    .description(
      'connect to the terminal or the pipes of a container (launch --terminal, --interactive); it goes on when you leave',
    )
    .option('--no-stdin', 'only look: somebody else may write')
    .option('--detach-keys <keys>', 'leave a terminal with these (default: ctrl-p,ctrl-q)')
    .option(
      '--reattach-within <time>',
      'when the agent ends, attach again if there is one within this time; 0secs: end at once (default: 1mins)',
    );
  defineAgentFlags(attach).action(async (id: string, flags) => {
    const client = await connect(flags);
    const { attach: run } = await import('../client/attach.js');
    done(await run(client, id, flags));
  });
}
