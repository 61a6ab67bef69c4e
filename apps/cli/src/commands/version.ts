import type { Command } from '../command.js';
import { productVersion } from '#libs/platform/product-version.js';

export const command: Command = {
  usage: '',
  details: [],
  options: {},
  maxArgs: 0,
  run() {
    process.stdout.write(`smartflow ${productVersion()} (Node.js ${process.version})\n`);
    return Promise.resolve(0);
  },
};
