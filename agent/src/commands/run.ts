/** `caisson run`: what it takes. What it does is in run/. */
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags } from '../configuration-flags.js';
import type { Done } from '../main.js';
import type { ContainerFlags } from '../run/container-config.js';

export interface RunFlags extends ContainerFlags, ConfigurationFlags {
  readonly name?: string | undefined;
  readonly keep?: true | undefined;
  readonly quiet?: true | undefined;
  readonly json?: true | undefined;
  readonly syscalls?: true | undefined;
}

const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];

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
  defineConfigurationFlags(run)
    .optionsGroup('Container:')
    .option('--name <id>', 'the name of the container (default: a generated one)')
    .option('--rootfs <directory>', 'the directory that becomes / (needs the isolator filesystem/linux)')
    .option('--user <user>', 'a name, a uid, or user:group')
    .option('--env <name=value>', "a variable; only <name> takes the caller's value (repeatable)", repeated)
    .option('--workdir <directory>', 'working directory inside the container')
    .option('--executable <file>', 'the file to execute; <command> is then only its name')
    .option('-t, --terminal', 'a terminal of its own, connected to the one of the caller')
    .option('--init', 'a first process that reaps zombies')
    .option('--label <name=value>', 'a note for programs; changes nothing (repeatable)', repeated)
    .optionsGroup('Limits and privileges:')
    .option(
      '--rlimit <name=soft:hard>',
      'a limit of setrlimit(2), such as NOFILE=1024:2048 (repeatable)',
      repeated,
    )
    .option(
      '--resource <name=amount>',
      'cpus, mem (MiB), disk (MiB) or gpus, for isolators (repeatable)',
      repeated,
    )
    .option('--limit <name=amount>', 'a hard limit where it differs from --resource (repeatable)', repeated)
    .option('--effective-capabilities <list>', 'such as CHOWN,NET_BIND_SERVICE')
    .option('--bounding-capabilities <list>', 'those that a program can gain by an exec')
    .option('--privileged', 'all capabilities, nothing masked: root on the host')
    .option('--allow-new-privileges', 'setuid programs and file capabilities work')
    .option('--share-pid-namespace', 'see and signal the processes of the host')
    .option('--oom-score-adj <number>', 'from -1000 (spare it) to 1000')
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
