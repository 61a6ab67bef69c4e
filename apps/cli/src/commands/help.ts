import { COMMANDS, findCommand } from '../command-table.js';
import type { Command } from '../command.js';

export const command: Command = {
  usage: '[command]',
  details: [],
  options: {},
  maxArgs: 1,
  async run({ args: [name] }) {
    if (name === undefined) {
      process.stdout.write(overview());
      return 0;
    }
    const entry = findCommand(name);
    if (entry === undefined) {
      process.stderr.write(`smartflow: there is no command "${name}"\nSee: smartflow help\n`);
      return 2;
    }
    const { usage, details } = await entry.load();
    const lines = [`smartflow ${name} ${usage}`.trimEnd(), '', `  ${entry.summary}`];
    if (details.length > 0) lines.push('', ...details.map((line) => `  ${line}`));
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  },
};

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const rows = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ['smartflow [command] [options]', '', ...rows, '', 'smartflow help <command> lists its options.', ''].join(
    '\n',
  );
}
