import { configOption, type Command } from '../command.js';
import { externalStores } from '../external-stores.js';
import { readConfig } from '../read-config.js';
import { runAlone } from '../run-alone.js';
import { listenProblem } from '../serve/listen-check.js';

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
    const { startGateway } = await import('../../../gateway/src/main.js');
    return runAlone(async () => {
      try {
        const running = await startGateway(config, urls);
        process.stdout.write(`Smartflow gateway serves on ${running.url}\n`);
        return running;
      } catch (error) {
        const { host, port } = config.boot.listen;
        const problem = listenProblem((error as NodeJS.ErrnoException).code, host, port);
        throw problem === null ? error : new Error(problem, { cause: error });
      }
    });
  },
};
