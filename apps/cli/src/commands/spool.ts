import { nanosToUsd } from '#libs/ledger/index.js';
import { configOption, type Command } from '../command.js';
import { openLedger } from '../open-ledger.js';
import { readConfig } from '../read-config.js';

/** Length of a gateway's lease, as `Budgets` has it. */
const LEASE_MS = 10_000;

function render(released: ReadonlyMap<string, ReadonlyMap<string, number>>): string {
  const lines = [...released].flatMap(([orgId, budgets]) =>
    [...budgets].map(([budget, nanos]) => `${orgId} ${budget}: ${nanosToUsd(BigInt(nanos))} USD free again\n`),
  );
  return lines.length === 0 ? 'It held nothing that was still booked.\n' : lines.join('');
}

export const command: Command = {
  usage: 'forget PROCESS [--config FILE]',
  details: [
    ...configOption.details,
    'For a gateway that is gone together with its disk: what it held of the budgets stays booked, since nobody can tell what',
    'of it was spent. This lets go of it. If the gateway did spend it, the caps are passed by as much.',
    'PROCESS is the id in the log line "a process is lost with its disk".',
    'Works on external stores, or on the data folder while no Smartflow runs on it.',
  ],
  options: configOption.options,
  maxArgs: 2,
  async run(input) {
    const [action, processId] = input.args;
    if (action !== 'forget' || processId === undefined) {
      process.stderr.write('smartflow spool: say what to do: smartflow spool forget PROCESS\n');
      return 2;
    }
    const config = readConfig(input);
    if (config === null) return 1;
    const { ledger, note, close } = await openLedger(config);
    try {
      await note({ action: 'ledger.forget', what: processId, details: { processId } });
      process.stdout.write(render(await ledger.forget(processId, { ttlMs: LEASE_MS })));
    } finally {
      await close();
    }
    return 0;
  },
};
