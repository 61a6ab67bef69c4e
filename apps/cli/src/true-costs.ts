import type { TrueCost } from '#libs/ledger/index.js';
import { idTimeMs } from '#libs/platform/ids.js';
import { usdToNanos } from '#libs/platform/money.js';

const AMOUNT = /^\d{1,7}(\.\d{1,9})?$/;
const HEADER = /^id\s*,\s*cost_usd$/i;

/** @param where what the texts come from, for the error @throws Error with a sentence */
export function trueCostOf(id: string, costUsd: string, where: string): TrueCost {
  if (!id.startsWith('req_') || idTimeMs(id) === null) throw new Error(`${where}: "${id}" is not the id of a request`);
  const costNanos = AMOUNT.test(costUsd) ? usdToNanos(Number(costUsd)) : null;
  if (costNanos === null) {
    throw new Error(`${where}: "${costUsd}" is not an amount in USD from 0 to 9000000 with at most nine decimals`);
  }
  return { id, costNanos };
}

/**
 * Reads a CSV of request ids and what they truly cost, one a line; a first line `id,cost_usd` is left out.
 * @throws Error naming the line: not two fields, no id, no amount, or an id that came before
 */
export function trueCostsOf(csv: string): readonly TrueCost[] {
  const costs: TrueCost[] = [];
  const seen = new Set<string>();
  for (const [n, text] of csv
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const line = text.trim();
    if (line === '' || (n === 0 && HEADER.test(line))) continue;
    const where = `line ${n + 1}`;
    const [id = '', costUsd = '', ...more] = line.split(',').map((field) => field.trim());
    if (more.length > 0 || costUsd === '')
      throw new Error(`${where}: must be an id and an amount, such as req_…,0.0125`);
    const cost = trueCostOf(id, costUsd, where);
    if (seen.has(id)) throw new Error(`${where}: ${id} came before`);
    seen.add(id);
    costs.push(cost);
  }
  if (costs.length === 0) throw new Error('the file names no request');
  return costs;
}
