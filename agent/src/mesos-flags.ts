/**
 * Flags of Mesos keep their names and their grammar, `--name=value`, `--name` and `--no-name`. Which there are is known
 * only once plugins are loaded, so they are taken out before the argument library would refuse them; the core checks
 * them. Their mark is the underscore, which no flag of ours has: `--work_dir=/var/lib/caisson`.
 */
import type { Command } from 'commander';

const MESOS_FLAG = /^--(no-)?([a-z0-9]+(?:_[a-z0-9]+)+)(?:=(.*))?$/s;

export type MesosFlags = Readonly<Record<string, string | boolean>>;

/** Gives the flags to the command that `argv` names, as its option `mesosFlags`, and returns the other arguments. */
export function takeMesosFlags(program: Command, argv: readonly string[]): string[] {
  const flags: Record<string, string | boolean> = {};
  const others: string[] = [];
  let command = program;
  for (let i = 0; i < argv.length; i += 1) {
    const argument = argv[i] as string;
    const [, no, name, value] = MESOS_FLAG.exec(argument) ?? [];
    if (name) {
      flags[name] = value ?? no === undefined;
      continue;
    }
    const inner = command.commands.find((candidate) => candidate.name() === argument);
    if (argument === '--' || (!argument.startsWith('-') && !inner)) {
      others.push(...argv.slice(i)); // the command of `run` begins
      break;
    }
    others.push(argument);
    command = inner ?? command;
    const takesNext = command.options.some(
      ({ required, long, short }) => required && [long, short].includes(argument),
    );
    if (takesNext && i + 1 < argv.length) others.push(argv[++i] as string);
  }
  command.setOptionValue('mesosFlags', flags);
  return others;
}
