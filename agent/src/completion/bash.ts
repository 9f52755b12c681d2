import { allOf, type Flag, type Shape, type Subject } from './shape.js';

const quoted = (words: readonly string[]): string => `'${words.join(' ').replaceAll("'", "'\\''")}'`;

const namesOf = (flags: readonly Flag[], isIt: (flag: Flag) => boolean): string =>
  quoted(flags.filter(isIt).flatMap(({ names }) => names));

function subjectOf(subject: Subject): string {
  if (subject.kind === 'words') return `words=${quoted(subject.words)}`;
  if (subject.kind !== 'ids') return '';
  return `ids=${subject.all ? '--all' : '--quiet'} most=${subject.isMany ? 9999 : 1}`;
}

const caseOf = (
  { name, flags, subject, handsOn }: Shape,
  root: Shape,
): string => `    ${quoted([name === root.name ? '' : name])})
      flags=${namesOf(flags, () => true)}
      valued=${namesOf(flags, ({ value }) => value !== 'none')}
      files=${namesOf(flags, ({ value }) => value === 'file')}
      directories=${namesOf(flags, ({ value }) => value === 'directory')}
      ${handsOn ? 'hands_on=1 ' : ''}${subjectOf(subject)} ;;`;

/**
 * A name that a container has is no word of a shell: it may be `$(reboot)`. So it is neither expanded, as `compgen -W` does
 * with its words, nor put into the command line as it is.
 */
export const bashCompletion = (
  root: Shape,
): string => `# bash completion of caisson: source <(caisson completion bash)
_caisson_shape() {
  flags= valued= files= directories= words= ids= most=0 hands_on=
  case $1 in
${allOf(root)
  .map((shape) => caseOf(shape, root))
  .join('\n')}
  esac
}

_caisson() {
  local current=\${COMP_WORDS[COMP_CWORD]} command= place=0 flag= word i
  local flags valued files directories words ids most hands_on
  COMPREPLY=()
  _caisson_shape ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]} flag=
    if [[ $word == '=' ]]; then # of a value: bash takes it for a word
      ((i++))
    elif [[ " $valued " == *" $word "* ]]; then
      flag=$word
      ((i++))
      [[ \${COMP_WORDS[i]} == '=' ]] && ((i++))
    elif [[ $word != -* ]]; then
      if [[ -n $words && " $words " == *" $word "* ]]; then
        command=\${command:+$command }$word
        _caisson_shape "$command"
      else
        ((place++))
      fi
    fi
  done
  [[ $current == '=' ]] && current=
  if [[ -n $flag && $i -gt $COMP_CWORD ]]; then
    if [[ " $files " == *" $flag "* ]]; then compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
    if [[ " $directories " == *" $flag "* ]]; then compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); fi
  elif [[ $current == -* && ( $place -eq 0 || -z $hands_on ) ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  elif [[ -n $ids && $place -lt $most ]]; then
    while read -r word; do
      [[ $word == "$current"* ]] && COMPREPLY+=("$(printf %q "$word")")
    done < <("\${COMP_WORDS[0]}" ps --quiet "$ids" 2>/dev/null)
  elif [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  elif [[ -n $command && $place -eq 0 && -z $ids ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$current")
  else
    compopt -o default # files, of a command's arguments
  fi
}
complete -F _caisson caisson
`;
