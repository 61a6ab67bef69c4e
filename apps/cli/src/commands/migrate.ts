import { addressOf, migrate } from '#libs/stores/index.js';
import { configOption, type Command } from '../command.js';
import { externalStores } from '../external-stores.js';
import { readConfig } from '../read-config.js';

export const command: Command = {
  usage: '[--config FILE]',
  details: [...configOption.details, 'The database is the one of DATABASE_URL or "stores.postgres".'],
  options: configOption.options,
  maxArgs: 0,
  async run(input) {
    const config = readConfig(input);
    if (config === null) return 1;
    const { postgresOwner } = externalStores(config, ['postgres']);
    const { applied } = await migrate(postgresOwner);
    const what = applied.length === 0 ? 'is up to date' : `now has ${applied.join(', ')}`;
    process.stdout.write(`The schema on ${addressOf(postgresOwner)} ${what}\n`);
    return 0;
  },
};
