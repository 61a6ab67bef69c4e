// The ledger against the truth, when everything has come to rest.
import type { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { checkCounters } from '../budgets/counters-check.js';
import type { Bad, ChaosProvider } from './provider.js';
import { KEYS, limitNanosOf, TEAM_LIMITS_USD, USD } from './world.js';

export const ORG = 'org_default';

/** Fields of budgets → total inside Valkey; `null` while the counters are not open. Checks I1 on the way. */
export async function lookInside(redis: Redis, bad: Bad): Promise<Map<string, number> | null> {
  const seen = await checkCounters(redis, [ORG], (name) => limitNanosOf(name.slice(ORG.length + 1)), bad);
  return seen === null ? null : new Map([...seen].map(([name, total]) => [name.slice(ORG.length + 1), total]));
}

export async function ledgerSums(source: DataSource): Promise<Map<string, number>> {
  const rows = (await source.query(`SELECT budget, sum(nanos)::text AS nanos FROM budget_spend GROUP BY 1`)) as {
    budget: string;
    nanos: string;
  }[];
  return new Map(rows.map(({ budget, nanos }) => [budget, Number(nanos)]));
}

interface Row {
  readonly id: string;
  readonly state: string;
  readonly cost_nanos: string;
  readonly key_name: string;
  readonly budgets: readonly string[];
  readonly usage_raw: string | null;
}

export interface Verdict {
  readonly rows: number;
  readonly settled: number;
  readonly unknown: number;
  readonly slices: number;
  /** Calls the provider served whose row could only be `unknown`, or whose disk was lost. */
  readonly unsettled: number;
  readonly exhausted: number;
}

/** @param lostDisks whether rows may be missing, their money being booked as slices */
export async function judge(
  source: DataSource,
  provider: ChaosProvider,
  lostDisks: number,
  bad: Bad,
): Promise<Verdict> {
  const rows = (await source.query(
    `SELECT id::text, state, cost_nanos::text, key_name, budgets, usage_raw FROM usage_events`,
  )) as Row[];
  const settled = new Map<string, Row>();
  const sums = new Map<string, number>();
  const unknownOfKey = new Map<string, number>();
  for (const row of rows) {
    for (const field of row.budgets) sums.set(field, (sums.get(field) ?? 0) + Number(row.cost_nanos));
    if (row.state === 'unknown') unknownOfKey.set(row.key_name, (unknownOfKey.get(row.key_name) ?? 0) + 1);
    const nonce = row.usage_raw === null ? null : (JSON.parse(row.usage_raw) as { nonce?: string }).nonce;
    if (nonce === null || nonce === undefined) continue;
    if (settled.has(nonce)) bad('two rows of one call', { nonce });
    settled.set(nonce, row);
    const truth = provider.served.get(nonce);
    if (truth === undefined) bad('a row of a call that nobody served', { nonce });
    else if (Number(row.cost_nanos) !== truth.costNanos)
      bad('a row has another cost', { nonce, row: row.cost_nanos, truth: truth.costNanos });
  }
  const missing = new Map<string, number>();
  for (const [nonce, { key }] of provider.served)
    if (!settled.has(nonce)) missing.set(key, (missing.get(key) ?? 0) + 1);
  for (const [key, count] of missing) {
    if (count > (unknownOfKey.get(key) ?? 0) && lostDisks === 0)
      bad('calls without a row', { key, count, unknown: unknownOfKey.get(key) ?? 0 });
  }
  checkSums(sums, await ledgerSums(source), bad);
  if (lostDisks === 0) checkCovered(sums, provider, bad);
  const count = (state: string): number => rows.filter((row) => row.state === state).length;
  return {
    rows: rows.length,
    settled: count('settled'),
    unknown: count('unknown'),
    slices: count('slice'),
    unsettled: [...missing.values()].reduce((all, one) => all + one, 0),
    exhausted: [...sums].filter(([field, nanos]) => nanos > 0.9 * limitNanosOf(field)).length,
  };
}

/**
 * What calls truly cost ÷ limit, of budgets that refused somebody (`key:<name>`, `team:<name>`): a cap that holds by refusing
 * too early shows here. `least`: of them all; `null` when none was exhausted.
 */
export function utilisationOf(
  exhausted: ReadonlySet<string>,
  provider: Pick<ChaosProvider, 'spentNanos'>,
): { readonly least: number | null; readonly [budget: string]: number | null } {
  const shares = [...exhausted].sort().map((budget): [string, number] => {
    const [scope, name] = budget.split(':') as [string, string];
    const spent = provider.spentNanos.get(name) ?? 0;
    const limitUsd = scope === 'team' ? TEAM_LIMITS_USD[name] : KEYS.find((key) => key.name === name)?.limitUsd;
    return [budget, Math.round((spent / ((limitUsd as number) * USD)) * 10_000) / 10_000];
  });
  return {
    least: shares.length === 0 ? null : Math.min(...shares.map(([, share]) => share)),
    ...Object.fromEntries(shares),
  };
}

/** What is taken of each key's cap is at least what was truly spent of it. */
export function checkCovered(taken: ReadonlyMap<string, number>, provider: ChaosProvider, bad: Bad): void {
  for (const { name } of KEYS) {
    const truth = provider.spentNanos.get(name) ?? 0;
    const booked = [...taken]
      .filter(([field]) => field.startsWith(`key:key_file_${name}:`))
      .reduce((all, [, n]) => all + n, 0);
    if (booked < truth) bad('less is booked than was spent', { name, booked, truth });
  }
}

function checkSums(rows: ReadonlyMap<string, number>, rollups: ReadonlyMap<string, number>, bad: Bad): void {
  for (const [field, nanos] of rollups)
    if ((rows.get(field) ?? 0) !== nanos)
      bad('the roll-up is not the sum of the rows', { field, nanos, rows: rows.get(field) });
  for (const [field, nanos] of rows)
    if (nanos > limitNanosOf(field)) bad('the ledger is above the cap', { field, nanos });
}
