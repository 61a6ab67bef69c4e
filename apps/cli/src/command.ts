import type { ParseArgsOptionsConfig } from 'node:util';

/** What a command is given: its options and arguments as parsed, all of them declared by the command. */
export interface CommandInput {
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly args: readonly string[];
}

/** One command of the CLI; a file in `commands/` exports one. */
export interface Command {
  /** What follows the command's name, e.g. `[file]`. */
  readonly usage: string;
  /** More lines for `smartflow help <command>`: each option with its meaning. */
  readonly details: readonly string[];
  readonly options: ParseArgsOptionsConfig;
  /** How many arguments it takes at most. */
  readonly maxArgs: number;
  /** Resolves with the exit code: 0 done, 1 failed, 2 wrong usage. */
  run(input: CommandInput): Promise<number>;
}

/** A command in the table: the file is loaded only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

/** Options shared by every command that reads the configuration. */
export const configOption = {
  options: { config: { type: 'string' } },
  details: [
    '--config FILE      the configuration (default: $SMARTFLOW_CONFIG, else ./smartflow.yaml where there is one)',
  ],
} as const satisfies Pick<Command, 'options' | 'details'>;

/** A text option's value; `undefined` when it was not given. */
export function textOption(input: CommandInput, name: string): string | undefined {
  const value = input.options[name];
  return typeof value === 'string' ? value : undefined;
}
