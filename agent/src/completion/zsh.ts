import type { Flag, Shape, Subject } from './shape.js';

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** In a specification of _arguments and _describe these have a meaning. */
const escaped = (text: string): string => text.replaceAll(/[\\:[\]]/g, '\\$&');

const VALUES: Readonly<Record<Flag['value'], string>> = {
  none: '',
  other: ':value: ',
  file: ':file:_files',
  directory: ':directory:_files -/',
};

function flagOf({ names, description, value, isRepeatable }: Flag): string[] {
  const others = isRepeatable ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
  return names.map((name) => quoted(`${others}${name}[${escaped(description)}]${VALUES[value]}`));
}

function subjectOf(subject: Subject): string[] {
  if (subject.kind === 'words') return [quoted(`1:word:(${subject.words.join(' ')})`)];
  if (subject.kind === 'program') return [quoted('*:::command:_normal')];
  if (subject.kind === 'nothing') return [];
  const ids = `container:_caisson_ids${subject.all ? ' --all' : ''}`;
  return [quoted(subject.isMany ? `*:${ids}` : `1:${ids}`)];
}

const argumentsOf = ({ flags, subject }: Shape, indent: string): string =>
  ['_arguments -s -S', ...flags.flatMap(flagOf), ...subjectOf(subject)].join(` \\\n${indent}  `);

function caseOf(shape: Shape): string {
  if (shape.commands.length === 0) return `    ${shape.name}) ${argumentsOf(shape, '    ')} ;;`;
  const inner = shape.commands.map(
    (each) => `        ${each.name.split(' ').at(-1)}) ${argumentsOf(each, '        ')} ;;`,
  );
  return `    ${shape.name})
      _arguments -C ${quoted(`1:word:(${shape.commands.map(({ name }) => name.split(' ').at(-1)).join(' ')})`)} '*::argument:->inner'
      [[ $state == inner ]] && case $words[1] in
${inner.join('\n')}
      esac ;;`;
}

export const zshCompletion = (root: Shape): string => `#compdef caisson
# zsh completion of caisson: source <(caisson completion zsh), after compinit; or as _caisson in a folder of $fpath
_caisson_ids() {
  local -a ids all
  all=(\${(M)@:#--all})
  ids=(\${(f)"$(caisson ps --quiet $all 2>/dev/null)"})
  compadd "\${@:#--all}" -a ids
}

_caisson() {
  local state line
  typeset -A opt_args
  local -a commands
  commands=(
${root.commands.map(({ name, description }) => `    ${quoted(`${name}:${escaped(description)}`)}`).join('\n')}
  )
  _arguments -C ${root.flags.flatMap(flagOf).join(' ')} '1:command:->command' '*::argument:->argument'
  case $state in
  command) _describe command commands ;;
  argument) case $words[1] in
${root.commands.map(caseOf).join('\n')}
    esac ;;
  esac
}

if [[ $funcstack[1] == _caisson ]]; then _caisson "$@"; else compdef _caisson caisson; fi
`;
