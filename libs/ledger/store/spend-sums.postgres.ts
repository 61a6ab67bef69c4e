import type { DataSource } from 'typeorm';

/** What was charged to a budget in one period. */
export interface BudgetSum {
  readonly orgId: string;
  readonly budgetId: string;
  /** Name of the period, such as `m2026-11`. */
  readonly period: string;
  readonly spentNanos: bigint;
}

/** Calls of one day (UTC) that had usage but no price. */
export interface UnpricedCalls {
  readonly orgId: string;
  readonly provider: string;
  readonly model: string;
  /** `2026-11-21` */
  readonly day: string;
  readonly calls: number;
}

/** Sums that move in the transaction of the rows, for whoever compares them with something. */
export class PostgresSpendSums {
  constructor(private readonly source: Pick<DataSource, 'query'>) {}

  /** Of all budgets, in periods that may still grow. */
  async spent(): Promise<BudgetSum[]> {
    const rows = (await this.source.query(
      `SELECT org_id, budget, sum(nanos)::text AS nanos FROM budget_spend WHERE NOT ended GROUP BY 1, 2 HAVING sum(nanos) > 0`,
    )) as { org_id: string; budget: string; nanos: string }[];
    return rows.map(({ org_id, budget, nanos }) => {
      const at = budget.lastIndexOf('|'); // a field is `<budget>|<period>`; no name contains the bar
      return {
        orgId: org_id,
        budgetId: budget.slice(0, at),
        period: budget.slice(at + 1),
        spentNanos: BigInt(nanos),
      };
    });
  }

  /** @param fromMs ms since 1970; rounded down to the quarter of an hour that roll-ups have */
  async unpricedSince(fromMs: number): Promise<UnpricedCalls[]> {
    const rows = (await this.source.query(
      `SELECT o.org_id, d.provider, d.model, r.day, sum(r.calls)::text AS calls
       FROM (SELECT DISTINCT org_id FROM usage_dimensions) o
       CROSS JOIN LATERAL (
         SELECT u.dimension_id, to_char(u.ts AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, sum(u.unpriced_calls) AS calls
         FROM usage_rollups u
         WHERE u.org_id = o.org_id AND u.ts >= date_bin('15 minutes', $1::timestamptz, TIMESTAMPTZ '2000-01-01 00:00:00Z')
           AND u.unpriced_calls > 0 GROUP BY 1, 2) r
       JOIN usage_dimensions d ON d.id = r.dimension_id
       GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 2, 3 LIMIT 1000`,
      [new Date(fromMs)],
    )) as { org_id: string; provider: string; model: string; day: string; calls: string }[];
    return rows.map(({ org_id, provider, model, day, calls }) => ({
      orgId: org_id,
      provider,
      model,
      day,
      calls: Number(calls),
    }));
  }
}
