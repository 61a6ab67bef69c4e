import { parseArgs } from 'node:util';
import { COMMANDS, DEFAULT_COMMAND, findCommand } from './command-table.js';
import type { Command, CommandInput } from './command.js';

const FLAGS_AS_COMMANDS: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-v': 'version',
};

/** Runs one command line (without `node` and the script); resolves with the exit code. Wrong usage is 2, a failure 1. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  const named = first !== undefined && !first.startsWith('-');
  const name = named ? first : (FLAGS_AS_COMMANDS[first ?? ''] ?? DEFAULT_COMMAND);
  const rest = named || (first !== undefined && first in FLAGS_AS_COMMANDS) ? argv.slice(1) : argv;
  const entry = findCommand(name);
  if (entry === undefined) return wrongUsage(`there is no command "${name}"${suggestion(name)}`);
  if (rest.includes('--help') || rest.includes('-h')) return runCli(['help', entry.name]);
  const command = await entry.load();
  let input: CommandInput;
  try {
    input = parse(command, rest);
  } catch (error) {
    // parseArgs adds a hint about "--" that helps nobody here
    return wrongUsage((error as Error).message.split('. To specify')[0] as string, entry.name);
  }
  try {
    return await command.run(input);
  } catch (error) {
    process.stderr.write(`smartflow ${entry.name}: ${(error as Error).message}\n`);
    return 1;
  }
}

/** Reads the arguments a command declares; throws with a sentence for anything else. */
function parse(command: Command, argv: readonly string[]): CommandInput {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: command.options,
    allowPositionals: true,
    strict: true,
  });
  if (positionals.length > command.maxArgs) throw new Error(`unexpected argument "${positionals[command.maxArgs]}"`);
  for (const [name, value] of Object.entries(values)) {
    if (value === '') throw new Error(`option --${name} needs a value`);
  }
  return { options: values as CommandInput['options'], args: positionals };
}

function wrongUsage(message: string, name?: string): number {
  const where = name === undefined ? 'smartflow help' : `smartflow help ${name}`;
  process.stderr.write(`smartflow: ${message}\nSee: ${where}\n`);
  return 2;
}

/** The command a mistyped name probably meant: one letter wrong, missing, extra or swapped, or the same beginning. */
function suggestion(name: string): string {
  const near = COMMANDS.find((entry) => entry.name.startsWith(name.slice(0, 3)) || distance(entry.name, name) <= 2);
  return near === undefined || name.length < 2 ? '' : `; did you mean "${near.name}"?`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
