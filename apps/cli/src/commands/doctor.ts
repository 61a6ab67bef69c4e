import { configOption, type Command } from '../command.js';
import { examine, type Finding } from '../doctor/examine.js';
import { load } from '../read-config.js';

const SIGNS: Readonly<Record<Finding['state'], string>> = { good: 'ok  ', warning: 'WARN', bad: 'FAIL' };

export const command: Command = {
  usage: '[--config FILE]',
  details: [
    ...configOption.details,
    'Looks at Node.js, the configuration, the data folder, the address to listen on and the stores. Starts and changes nothing.',
    'Exit code 0: nothing stands in the way of a start. 1: something does.',
  ],
  options: configOption.options,
  maxArgs: 0,
  async run(input) {
    const findings = await examine(load(input));
    for (const { state, what, text } of findings) process.stdout.write(`${SIGNS[state]}  ${what.padEnd(13)} ${text}\n`);
    return findings.some(({ state }) => state === 'bad') ? 1 : 0;
  },
};
