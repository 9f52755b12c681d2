/** `caisson completion`: a script that teaches a shell the commands, their flags, and the containers that there are. */
import { Argument, type Command } from 'commander';
import type { Done } from '../main.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

const EXAMPLES = `
Examples:
  $ source <(caisson completion bash)
  $ source <(caisson completion zsh)
  $ caisson completion fish | source

Containers are those of the agent that \`caisson ps\` asks (CAISSON_AGENT names another).`;

export function defineCompletion(caisson: Command, done: Done): void {
  caisson
    .command('completion')
    .description('print what makes a shell complete commands, flags and containers')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action(async (shell: Shell) => {
      const { completionOf } = await import('../completion/completion.js');
      process.stdout.write(completionOf(caisson, shell));
      done(0);
    });
}
