import { readFile, stat } from 'node:fs/promises';
import { nanosToUsd, type ReconciledRow, type TrueCost } from '#libs/ledger/index.js';
import { configOption, textOption, type Command, type CommandInput } from '../command.js';
import { openLedger } from '../open-ledger.js';
import { readConfig } from '../read-config.js';
import { trueCostOf, trueCostsOf } from '../true-costs.js';

/** Costs that stand in the audit entry itself. */
const MOST_NOTED = 100;
const PART_ROWS = 200;
const MOST_FILE_BYTES = 64 * 1024 * 1024;

/** `null`: the command was not used as it should be. @throws Error with a sentence */
async function costsOf(input: CommandInput): Promise<readonly TrueCost[] | null> {
  const [id] = input.args;
  const costUsd = textOption(input, 'cost-usd');
  const file = textOption(input, 'from');
  if (file !== undefined) {
    if (id !== undefined || costUsd !== undefined) return null;
    if ((await stat(file)).size > MOST_FILE_BYTES) throw new Error(`${file} is larger than 64 MiB: split it`);
    return trueCostsOf(await readFile(file, 'utf8'));
  }
  return id === undefined || costUsd === undefined ? null : [trueCostOf(id, costUsd, 'reconcile')];
}

function render(cost: TrueCost, row: ReconciledRow | undefined): string {
  if (row === undefined) return `${cost.id}: not in the ledger\n`;
  const booked = nanosToUsd(BigInt(row.bookedNanos));
  if (row.state !== 'unknown') return `${cost.id}: ${row.state} at ${booked} USD already, stays\n`;
  return `${cost.id}: ${booked} → ${nanosToUsd(BigInt(cost.costNanos))} USD\n`;
}

export const command: Command = {
  usage: 'REQUEST_ID --cost-usd X | --from FILE [--apply] [--config FILE]',
  details: [
    '--cost-usd X       what the call truly cost, by the report of its provider',
    '--from FILE        many at once: a CSV of id,cost_usd',
    '--apply            settle the rows; without it only the difference is shown',
    ...configOption.details,
    'For calls in the ledger as "unknown": their gateway was killed, or the answer broke off, and they stand at the most they may',
    'have cost. Each is settled once; reports and budgets get the difference back, also while gateways run.',
    'Works on external stores, or on the data folder while no Smartflow runs on it.',
  ],
  options: {
    ...configOption.options,
    'cost-usd': { type: 'string' },
    from: { type: 'string' },
    apply: { type: 'boolean' },
  },
  maxArgs: 1,
  async run(input) {
    const costs = await costsOf(input);
    if (costs === null) {
      process.stderr.write('smartflow reconcile: say REQUEST_ID --cost-usd X, or --from FILE\n');
      return 2;
    }
    const config = readConfig(input);
    if (config === null) return 1;
    const apply = input.options['apply'] === true;
    let [changed, missing] = [0, 0];
    let deltaNanos = 0n;
    const { ledger, note, close } = await openLedger(config);
    try {
      const what = costs.length === 1 ? (costs[0] as { id: string }).id : `${costs.length} calls`;
      if (apply) await note({ action: 'ledger.reconcile', what, details: { costs: costs.slice(0, MOST_NOTED) } });
      for (let i = 0; i < costs.length; i += PART_ROWS) {
        const part = costs.slice(i, i + PART_ROWS);
        const rows = new Map((await ledger.reconcile(part, { apply })).map((row) => [row.id, row]));
        for (const cost of part) {
          const row = rows.get(cost.id);
          if (row === undefined) missing += 1;
          if (row?.state === 'unknown') {
            changed += 1;
            deltaNanos += BigInt(cost.costNanos - row.bookedNanos);
          }
          process.stdout.write(render(cost, row));
        }
      }
    } finally {
      await close();
    }
    const what = apply ? 'settled' : 'would be settled; nothing was written, add --apply';
    process.stdout.write(`${changed} of ${costs.length} ${what} (${nanosToUsd(deltaNanos)} USD)\n`);
    return missing === 0 ? 0 : 1;
  },
};
