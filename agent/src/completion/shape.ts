/** What can be completed, from the definitions of the commands themselves. */
import type { Command, Option } from 'commander';

export interface Flag {
  /** Such as -t and --terminal. */
  readonly names: readonly string[];
  readonly description: string;
  readonly value: 'none' | 'file' | 'directory' | 'other';
  readonly isRepeatable: boolean;
}

/** What stands behind the flags of a command. */
export type Subject =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'program' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** `isMany`: any number; `all`: also those that have ended. */
  | { readonly kind: 'ids'; readonly isMany: boolean; readonly all: boolean };

export interface Shape {
  /** Such as `exec`, or `config print`. */
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  readonly subject: Subject;
  /** Behind its first argument, flags are those of another command. */
  readonly handsOn: boolean;
  readonly commands: readonly Shape[];
}

/** Those that ask about what has ended. */
const ABOUT_ALL = ['inspect', 'logs', 'rm', 'wait'];

export function shapeOf(command: Command, prefix = ''): Shape {
  const name = `${prefix}${command.name()}`;
  const inner = command.commands.map((each) => shapeOf(each, command.parent ? `${name} ` : ''));
  return {
    name,
    description: command.description(),
    flags: [...command.options.map(flagOf), HELP],
    subject:
      inner.length > 0
        ? { kind: 'words', words: command.commands.map((each) => each.name()) }
        : subjectOf(command),
    handsOn: command.registeredArguments.some((argument) => argument.name() === 'command'),
    commands: inner,
  };
}

const HELP: Flag = {
  names: ['-h', '--help'],
  description: 'print this help',
  value: 'none',
  isRepeatable: false,
};

function flagOf({ short, long, required, flags, description }: Option): Flag {
  const [, placeholder = ''] = /<(.*)>/.exec(flags) ?? [];
  const kind = placeholder === 'file' || placeholder === 'directory' ? placeholder : 'other';
  return {
    names: [short, long].filter((each) => each !== undefined),
    description,
    value: required ? kind : 'none',
    isRepeatable: description.includes('(repeatable)'),
  };
}

function subjectOf(command: Command): Subject {
  const [first] = command.registeredArguments;
  if (!first) return { kind: 'nothing' };
  if (first.argChoices) return { kind: 'words', words: first.argChoices };
  if (first.name() === 'id')
    return { kind: 'ids', isMany: first.variadic, all: ABOUT_ALL.includes(command.name()) };
  return { kind: 'program' };
}

/** All commands, each with those that it has. */
export const allOf = (shape: Shape): Shape[] => [shape, ...shape.commands.flatMap(allOf)];
