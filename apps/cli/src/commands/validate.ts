import { renderReport } from '#libs/platform/config.js';
import { configOption, textOption, type Command } from '../command.js';
import { load } from '../read-config.js';

export const command: Command = {
  usage: '[file]',
  details: ['Exit code 0: the file can be used. 1: every fault is listed with its line.', ...configOption.details],
  options: configOption.options,
  maxArgs: 1,
  run(input) {
    const [argument] = input.args;
    const option = textOption(input, 'config');
    if (argument !== undefined && option !== undefined) {
      process.stderr.write('smartflow validate: name the file once, as argument or with --config\n');
      return Promise.resolve(2);
    }
    const file = argument ?? option;
    const result = load(input, file);
    process.stdout.write(renderReport(result, file));
    return Promise.resolve(result.ok ? 0 : 1);
  },
};
