import { bootstrap } from '#libs/keys-budgets/index.js';
import { configOption, textOption, type Command } from '../command.js';
import { externalStores } from '../external-stores.js';
import { readConfig } from '../read-config.js';
import { addressInUrl } from '../serve/listen-check.js';
import { takeDataDir } from '../serve/prepare-data-dir.js';
import { ReadyFile } from '../serve/ready-file.js';

export const command: Command = {
  usage: '[--config FILE] [--ready-file FILE]',
  details: [
    ...configOption.details,
    '--ready-file FILE  write {url, consoleUrl, adminToken, key} there and print no secret',
    'For gateways on external stores, whose schema is there (smartflow migrate). smartflow serve does this at every start.',
    'Token and key are kept in the data folder; the link is new each time, good for 30 minutes and one use.',
  ],
  options: { ...configOption.options, 'ready-file': { type: 'string' } },
  maxArgs: 0,
  async run(input) {
    const config = readConfig(input);
    if (config === null) return 1;
    const urls = externalStores(config, ['postgres']);
    const named = textOption(input, 'ready-file');
    const readyFile = named === undefined ? null : new ReadyFile(named);
    const { listen, dataDir } = config.boot;
    const lock = await takeDataDir(dataDir); // two at once would make two pairs
    const first = await bootstrap({ urls, dataDir }).finally(() => lock.release());
    const url = `http://${addressInUrl(listen.host)}:${listen.port}`;
    const ready = { url, consoleUrl: `${url}/`, adminToken: first.adminToken.reveal(), key: first.firstKey.reveal() };
    if (readyFile !== null) readyFile.write(ready);
    else {
      process.stdout.write(
        `Sign in once  ${url}${first.adminLinkPath.reveal()}\nAdmin token   ${ready.adminToken}\nFirst key     ${ready.key}\n`,
      );
    }
    return 0;
  },
};
