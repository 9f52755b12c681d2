/** `caisson run`: what it takes. What it does is in run/. */
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags } from '../configuration-flags.js';
import type { Done } from '../main.js';
import type { ContainerFlags } from '../run/container-config.js';
import { defineContainerFlags } from './container-flags.js';

export interface RunFlags extends ContainerFlags, ConfigurationFlags {
  readonly name?: string | undefined;
  readonly keep?: true | undefined;
  readonly quiet?: true | undefined;
  readonly json?: true | undefined;
  readonly syscalls?: true | undefined;
}

const EXAMPLES = `
Examples:
  $ caisson run -- sh -c 'echo $$; ps -ef'
  $ caisson run -t --rootfs ./busybox -- sh
  $ caisson run --env HOME --rlimit NOFILE=1024:2048 --user nobody -- make test`;

export function defineRun(caisson: Command, done: Done): void {
  const run = caisson
    .command('run')
    .description(
      'run a command in a container, in the foreground, until it ends; nothing of it is left behind',
    )
    .usage('[options] [--] <command> [argument...]')
    .argument('[command...]', 'looked up in the PATH of the container')
    .passThroughOptions();
  defineContainerFlags(defineConfigurationFlags(run))
    .optionsGroup('Container:')
    .option('-t, --terminal', 'a terminal of its own, connected to the one of the caller')
    .optionsGroup('What caisson prints and keeps:')
    .option('--keep', 'keep the sandbox and print where it is')
    .option('--quiet', 'do not say which isolation was taken')
    .option('--json', 'print how the container ended as one line of JSON, the last on stderr; nothing else')
    .option('--syscalls', 'print the system calls of the launch instead of making them')
    .addHelpText('after', EXAMPLES)
    .action(async (argv: string[], flags: RunFlags) => {
      const { run } = await import('../run/run.js');
      done(await run(argv, flags));
    });
}
