import { configOption, textOption, type Command } from '../command.js';
import { readConfig } from '../read-config.js';
import { serve } from '../serve/serve.js';

export const command: Command = {
  usage: '[--config FILE] [--ready-file FILE]',
  details: [
    ...configOption.details,
    '--ready-file FILE   written once everything serves: {url, consoleUrl, adminToken, key} (default: $SMARTFLOW_READY_FILE)',
  ],
  options: { ...configOption.options, 'ready-file': { type: 'string' } },
  maxArgs: 0,
  async run(input) {
    const config = readConfig(input);
    if (config === null) return 1;
    const readyFile = textOption(input, 'ready-file') ?? config.boot.readyFile;
    return serve({ ...config, boot: { ...config.boot, readyFile } });
  },
};
