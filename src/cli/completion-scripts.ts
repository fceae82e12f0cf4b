import type { shells } from './command-table.ts';
import type { CommandText, Option } from './usage.ts';

type Commands = Readonly<Record<string, CommandText>>;

/** The names under which the program is called. */
const programs = ['realm-operator', 'kubectl-realm'];

/** The script that completes the commands of `table`, their flags and the values of those. */
export function completionScript(shell: (typeof shells)[number], table: Commands): string {
  const ofHelp = Object.keys(table).concat('help', 'version');
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](table, ofHelp);
}

/** `-f` and `--filename` of the flag `filename`. */
function spellings(name: string, { short }: Option): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), `--${name}`];
}

type ValueKind = { readonly pattern: string; readonly complete: string };

function bashScript(table: Commands, words: readonly string[]): string {
  const cases = Object.entries(table).flatMap(([name, text]) => bashCase(name, text));
  return `# bash completion of realm-operator
_realm_operator() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]} flags='' operands=''
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$current"))
    return
  fi
  # The colon and the equals sign are words of their own to bash.
  if [[ $current == '=' ]]; then current=''; elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  case $command in
${cases.join('\n')}
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ $operands == PATHS ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$operands" -- "$current"))
  fi
}
complete -F _realm_operator ${programs.join(' ')}
`;
}

function bashCase(name: string, { options, operands }: CommandText): string[] {
  const flags = Object.entries(options).flatMap(([flag, option]) => spellings(flag, option));
  const values = valueKinds(options).map(
    ({ pattern, complete }) => `        ${pattern}) ${complete} return ;;`,
  );
  const rest = operands === 'paths' ? 'PATHS' : operands === 'none' ? '' : operands.join(' ');
  return [
    `    ${name})`,
    ...(values.length === 0 ? [] : ['      case $previous in', ...values, '      esac']),
    `      flags='${[...flags, '--help'].join(' ')}' operands='${rest}' ;;`,
  ];
}

/** How the value of each flag that has one is completed. */
function valueKinds(options: CommandText['options']): ValueKind[] {
  return Object.entries(options)
    .filter(([, { type }]) => type === 'string')
    .map(([flag, option]) => ({ pattern: spellings(flag, option).join('|'), complete: bashValue(option) }));
}

function bashValue({ words, isPath }: Option): string {
  if (words !== undefined) return `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$current"));`;
  if (isPath === true) return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current"));';
  return '';
}

function zshScript(table: Commands): string {
  const described = Object.entries(table).map(([name, { summary }]) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = Object.entries(table).map(
    ([name, text]) => `    ${name})\n      _arguments -s \\\n${zshArguments(text).join(' \\\n')} ;;`,
  );
  return `#compdef ${programs.join(' ')}
_realm_operator() {
  local -a commands
  commands=(
${described.join('\n')}
    'help:print the commands'
    'version:print the version'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
# In a folder of fpath the file is the body of a function, which zsh calls for the first completion.
if [[ $funcstack[1] == _realm-operator ]]; then
  _realm_operator "$@"
else
  compdef _realm_operator ${programs.join(' ')}
fi
`;
}

function zshArguments({ options, operands }: CommandText): string[] {
  const flags = Object.entries(options).flatMap(([flag, option]) =>
    spellings(flag, option).map((spelling) => {
      const repeated = option.multiple === true ? '*' : '';
      const text = option.help.replaceAll(/[[\]:]/g, '\\$&');
      return quoted(`${repeated}${spelling}[${text}]${zshValue(option)}`);
    }),
  );
  const rest = operands === 'paths' ? ["'*:path:_files'"] : [];
  const words = typeof operands === 'string' ? [] : [quoted(`1:word:(${operands.join(' ')})`)];
  return [...flags, "'--help[print the help]'", ...rest, ...words].map((line) => `        ${line}`);
}

function zshValue({ type, value = 'value', words, isPath }: Option): string {
  if (type === 'boolean') return '';
  const action = words !== undefined ? `(${words.join(' ')})` : isPath === true ? '_files' : ' ';
  return `:${value}:${action}`;
}

function fishScript(table: Commands): string {
  const lines = Object.entries(table).flatMap(([name, text]) => [
    fishLine('__fish_use_subcommand', `-f -a ${name} -d ${quoted(text.summary)}`),
    ...fishCommand(name, text),
  ]);
  const help = ['help', 'version'].map((word) => fishLine('__fish_use_subcommand', `-f -a ${word}`));
  return `# fish completion of realm-operator\n${[...lines, ...help].join('\n')}\n`;
}

function fishCommand(name: string, { options, operands }: CommandText): string[] {
  const seen = `__fish_seen_subcommand_from ${name}`;
  const flags = Object.entries(options).map(([flag, option]) => {
    const short = option.short === undefined ? '' : `-s ${option.short} `;
    return fishLine(seen, `${short}-l ${flag} -d ${quoted(option.help)}${fishValue(option)}`);
  });
  const words = typeof operands === 'string' ? '' : ` -a ${quoted(operands.join(' '))}`;
  return [...flags, fishLine(seen, `${operands === 'paths' ? '-F' : '-f'}${words}`)];
}

function fishValue({ type, words, isPath }: Option): string {
  if (type === 'boolean') return '';
  if (words !== undefined) return ` -x -a ${quoted(words.join(' '))}`;
  return isPath === true ? ' -r -F' : ' -x';
}

function fishLine(condition: string, rest: string): string {
  return programs.map((program) => `complete -c ${program} -n '${condition}' ${rest}`).join('\n');
}

/** `text` as one word of every one of the shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
