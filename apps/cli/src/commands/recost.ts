import { nanosToUsd, PostgresRecostStore, recost, type RecostReport } from '#libs/ledger/index.js';
import { loadOverrides } from '#libs/price-admin/index.js';
import { bundledPriceTable } from '#libs/pricing/index.js';
import { PostgresRegistryStore } from '#libs/registry/index.js';
import { connectPostgres } from '#libs/stores/index.js';
import { configOption, textOption, type Command } from '../command.js';
import { noteCorrection } from '../note-correction.js';
import { openOwnerPostgres } from '../owner-postgres.js';
import { readConfig } from '../read-config.js';
import { repriceWith } from '../recost-rows.js';

const DAY = /^\d{4}-\d\d-\d\d$/;

/** The beginning of a day in UTC, or a moment with offset. @throws Error with a sentence */
function momentOf(option: string, text: string | undefined): number {
  if (text === undefined) throw new Error(`--${option} is needed, such as --${option} 2026-11-01`);
  const ms = Date.parse(DAY.test(text) ? `${text}T00:00:00Z` : text);
  const isMoment = DAY.test(text) || /(Z|[+-]\d\d:\d\d)$/.test(text);
  if (!isMoment || !Number.isFinite(ms)) {
    throw new Error(`--${option} must be a day such as 2026-11-01, or a moment with offset, not "${text}"`);
  }
  return ms;
}

function render({ rows, changed, skipped, models }: RecostReport, isApplied: boolean): string {
  const lines = [...models]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, { rows: count, beforeNanos, afterNanos }]) =>
        `${name}: ${count} rows, ${nanosToUsd(beforeNanos)} → ${nanosToUsd(afterNanos)} USD\n`,
    );
  const left = skipped === 0 ? '' : `, ${skipped} have no price, or a provider that is no longer configured`;
  const what = isApplied
    ? 'changed; what was booked stands beside it'
    : 'would change; nothing was written, add --apply';
  return `${lines.join('')}${rows} rows with usage, ${changed} ${changed === 0 ? 'change' : what}${left}\n`;
}

export const command: Command = {
  usage: '--from DAY --to DAY [--apply] [--config FILE]',
  details: [
    '--from DAY         first day (UTC), or a moment with offset',
    '--to DAY           the day after the last one',
    '--apply            note the corrected costs; without it only the difference is shown',
    ...configOption.details,
    'Prices the calls of that time again, from the usage as the providers reported it, with the price table of this version and',
    'the overrides in force at the time of each call. What was booked stays, and so does what budgets were charged.',
    'Works on external stores, or on the data folder while no Smartflow runs on it.',
  ],
  options: {
    ...configOption.options,
    from: { type: 'string' },
    to: { type: 'string' },
    apply: { type: 'boolean' },
  },
  maxArgs: 0,
  async run(input) {
    const fromMs = momentOf('from', textOption(input, 'from'));
    const toMs = momentOf('to', textOption(input, 'to'));
    if (toMs <= fromMs) throw new Error('--to must be after --from');
    const config = readConfig(input);
    if (config === null) return 1;
    const apply = input.options['apply'] === true;
    const postgres = await openOwnerPostgres(config);
    try {
      const source = await connectPostgres(postgres.url, {
        poolSize: 2,
        applicationName: 'smartflow-recost',
        statementTimeoutMs: 120_000,
      });
      try {
        const overrides = await loadOverrides(new PostgresRegistryStore(source), config.live.prices);
        const reprice = repriceWith(bundledPriceTable(), config.live.providers, overrides);
        const range = { fromMs, toMs, orgId: null };
        if (apply) {
          const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString()) as [string, string];
          await noteCorrection(source, { action: 'ledger.recost', what: `${from} to ${to}`, details: { from, to } });
        }
        const report = await recost(new PostgresRecostStore(source), reprice, range, { apply, nowMs: Date.now() });
        process.stdout.write(render(report, apply));
      } finally {
        await source.destroy();
      }
    } finally {
      await postgres.close();
    }
    return 0;
  },
};
