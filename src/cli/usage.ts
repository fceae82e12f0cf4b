/** The shape of the command table: what help, suggestions and completion know of a command. */

/** One flag. Its keys `type`, `short`, `multiple` and `default` are those of `parseArgs`. */
export type Option = {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  readonly default?: string | boolean | string[];
  /** Names its value in the help; absent if it takes none. */
  readonly value?: string;
  readonly help: string;
  /** The values to complete, if they are few. */
  readonly words?: readonly string[];
  /** Whether its value is a path. */
  readonly isPath?: boolean;
};

/** The flags of a command, by their long names. */
export type Options = Readonly<Record<string, Option>>;

/** What is known of a command without loading it. */
export type CommandText = {
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the name of the command, e.g. `PATH… [options]`. */
  readonly synopsis: string;
  /** What it does, in lines. */
  readonly about: string;
  readonly options: Options;
  /** What is to be known beside the flags, in lines; ends with the exit codes. */
  readonly notes: string;
  /** What the arguments that are no flags are, for completion. */
  readonly operands: 'paths' | 'none' | readonly string[];
};

const helpColumn = 28;
const helpWidth = 120;

/** What `--help` prints of the command `name`. */
export function usageText(name: string, { synopsis, about, options, notes }: CommandText): string {
  const lines = Object.entries(options).flatMap(([flag, option]) => optionLines(flag, option));
  return [`Usage: realm-operator ${name} ${synopsis}`, '', about, '', ...lines, '', notes, ''].join('\n');
}

function optionLines(flag: string, { short, value, help }: Option): string[] {
  const words = `  ${short === undefined ? '   ' : `-${short},`} --${flag}${value === undefined ? '' : ` ${value}`}`;
  const [first = '', ...rest] = wrapped(help, helpWidth - helpColumn);
  const further = rest.map((line) => ' '.repeat(helpColumn) + line);
  return words.length < helpColumn - 1
    ? [words.padEnd(helpColumn) + first, ...further]
    : [words, ' '.repeat(helpColumn) + first, ...further];
}

function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
