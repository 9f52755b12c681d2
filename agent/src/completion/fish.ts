import type { Flag, Shape, Subject } from './shape.js';

const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

const VALUES: Readonly<Record<Flag['value'], string>> = {
  none: '',
  other: ' -x',
  file: ' -r -F',
  directory: " -x -a '(__fish_complete_directories)'",
};

/** `-t` is -s t, `--terminal` is -l terminal. */
const nameOf = (name: string): string =>
  name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`;

const flagOf = ({ names, description, value }: Flag): string =>
  `${names.map(nameOf).join(' ')}${VALUES[value]} -d ${quoted(description)}`;

function subjectOf(subject: Subject): string[] {
  if (subject.kind === 'ids') return [`-a '(__caisson_ids${subject.all ? ' --all' : ''})'`];
  if (subject.kind === 'program') return ["-a '(__fish_complete_subcommand)'"];
  return subject.kind === 'words' ? [`-a ${quoted(subject.words.join(' '))}`] : [];
}

const lastWord = (name: string): string => name.split(' ').at(-1)!;

/** Where a command's own flags and arguments are completed. */
function placeOf({ name, commands }: Shape): string {
  const seen = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
  const none = commands.map((each) => lastWord(each.name)).join(' ');
  return [...seen, ...(none ? [`not __fish_seen_subcommand_from ${none}`] : [])].join('; and ');
}

const linesOf = (shape: Shape): string[] => [
  ...[...shape.flags.map(flagOf), ...subjectOf(shape.subject)].map(
    (what) => `complete -c caisson -n ${quoted(placeOf(shape))} ${what}`,
  ),
  ...shape.commands.flatMap(linesOf),
];

export const fishCompletion = (
  root: Shape,
): string => `# fish completion of caisson: caisson completion fish | source
function __caisson_ids
  caisson ps --quiet $argv 2>/dev/null
end
complete -c caisson -f
${root.flags.map((flag) => `complete -c caisson -n __fish_use_subcommand ${flagOf(flag)}`).join('\n')}
${root.commands.map(({ name, description }) => `complete -c caisson -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`).join('\n')}
${root.commands.flatMap(linesOf).join('\n')}
`;
