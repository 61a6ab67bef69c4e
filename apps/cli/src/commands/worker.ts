import { configOption, type Command } from '../command.js';
import { externalStores } from '../external-stores.js';
import { readConfig } from '../read-config.js';
import { runAlone } from '../run-alone.js';

export const command: Command = {
  usage: '[--config FILE]',
  details: [
    ...configOption.details,
    'The stores are external (DATABASE_URL, REDIS_URL, MONGODB_URL); the schema is there (smartflow migrate).',
  ],
  options: configOption.options,
  maxArgs: 0,
  async run(input) {
    const config = readConfig(input);
    if (config === null) return 1;
    const urls = externalStores(config, ['postgres', 'redis']);
    const { startWorker } = await import('../../../worker/src/main.js');
    return runAlone(() => startWorker(config, urls));
  },
};
