/** The flags that say what a container shall be. */
import type { Command } from 'commander';

export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function defineContainerFlags(command: Command): Command {
  return command
    .optionsGroup('Container:')
    .option('--name <id>', 'the name of the container; web.job is nested in web (default: a generated one)')
    .option('--rootfs <directory>', 'the directory that becomes / (needs the isolator filesystem/linux)')
    .option('--user <user>', 'a name, a uid, or user:group')
    .option('--env <name=value>', "a variable; only <name> takes the caller's value (repeatable)", repeated)
    .option('--workdir <directory>', 'working directory inside the container')
    .option('--executable <file>', 'the file to execute; <command> is then only its name')
    .option('--init', 'a first process that reaps zombies')
    .option('--label <name=value>', 'a note for programs; changes nothing (repeatable)', repeated)
    .optionsGroup('Volumes:')
    .option(
      '--volume <source:path[:words]>',
      'a path of the host, or relative of the sandbox, at a path of the container; ro, rslave, rshared (repeatable)',
      repeated,
    )
    .option(
      '--tmpfs <path[:words]>',
      'memory at a path of the container; size=64MB, mode=1777, ro (repeatable)',
      repeated,
    )
    .option(
      '--persistent-volume <id:name:words>',
      'files that outlive the container, as <name> in its sandbox; size=64MB, ro, shared, role=eng (repeatable)',
      repeated,
    )
    .optionsGroup('Limits and privileges:')
    .option(
      '--rlimit <name=soft:hard>',
      'a limit of setrlimit(2), such as NOFILE=1024:2048 (repeatable)',
      repeated,
    )
    .option('--resource <name=amount>', 'cpus, mem (MiB), disk (MiB), gpus or pids (repeatable)', repeated)
    .option('--limit <name=amount>', 'a hard limit where it differs from --resource (repeatable)', repeated)
    .option('--effective-capabilities <list>', 'such as CHOWN,NET_BIND_SERVICE')
    .option('--bounding-capabilities <list>', 'those that a program can gain by an exec')
    .option('--privileged', 'all capabilities, nothing masked: root on the host')
    .option('--allow-new-privileges', 'setuid programs and file capabilities work')
    .option(
      '--share-pid-namespace',
      'see and signal the processes of the host; of a nested container: those of its parent',
    )
    .option('--oom-score-adj <number>', 'from -1000 (spare it) to 1000');
}
