import { configOption, textOption, type Command } from '../command.js';
import { openLedger } from '../open-ledger.js';
import { readConfig } from '../read-config.js';

export const command: Command = {
  usage: 'rebuild [--org ID] [--config FILE]',
  details: [
    '--org ID           one organisation; default: all of them',
    ...configOption.details,
    'Makes the counters of all budgets anew from the ledger and from what the running gateways hold. Smartflow does so by',
    'itself when Redis has lost its memory; meanwhile calls run on what their gateway holds, others wait for a moment.',
    'Works on external stores, or on the data folder while no Smartflow runs on it.',
  ],
  options: { ...configOption.options, org: { type: 'string' } },
  maxArgs: 1,
  async run(input) {
    const [action] = input.args;
    if (action !== 'rebuild') {
      process.stderr.write('smartflow budgets: say what to do: smartflow budgets rebuild\n');
      return 2;
    }
    const config = readConfig(input);
    if (config === null) return 1;
    const wanted = textOption(input, 'org');
    const { ledger, close } = await openLedger(config);
    try {
      const known = await ledger.organisations();
      if (wanted !== undefined && !known.includes(wanted)) throw new Error(`no organisation ${wanted} has budgets yet`);
      const orgIds = wanted === undefined ? known : [wanted];
      for (const orgId of orgIds) {
        const { generation } = await ledger.rebuild(orgId);
        process.stdout.write(`${orgId}: counters of generation ${generation}\n`);
      }
      if (orgIds.length === 0) process.stdout.write('No gateway has counted anything yet.\n');
    } finally {
      await close();
    }
    return 0;
  },
};
