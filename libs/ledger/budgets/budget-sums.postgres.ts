import type { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { AppError } from '#libs/platform/errors.js';
import { budgetKeys } from '#libs/stores/index.js';

/** What was spent of budgets, by the ledger, and what processes own of them together, by the counters. For people to look at. */
export class PostgresBudgetSums {
  readonly #source: DataSource;
  readonly #redis: Redis;

  /** @param redis any that fails soon when it is away */
  constructor(source: DataSource, redis: Redis) {
    this.#source = source;
    this.#redis = redis;
  }

  /** Rejects with AppError `store_unavailable` when PostgreSQL does not answer. */
  async of(
    orgId: string,
    fields: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly spentNanos: number; readonly committedNanos: number | null }>> {
    if (fields.length === 0) return new Map();
    const [spent, committed] = await Promise.all([this.#spent(orgId, fields), this.#committed(orgId, fields)]);
    return new Map(
      fields.map((field, n) => [
        field,
        { spentNanos: spent.get(field) ?? 0, committedNanos: committed === null ? null : Number(committed[n] ?? 0) },
      ]),
    );
  }

  async #spent(orgId: string, fields: readonly string[]): Promise<ReadonlyMap<string, number>> {
    try {
      const rows = (await this.#source.query(
        `SELECT budget, sum(nanos)::text AS nanos FROM budget_spend WHERE org_id = $1 AND budget = ANY($2) GROUP BY 1`,
        [orgId, fields],
      )) as { budget: string; nanos: string }[];
      return new Map(rows.map(({ budget, nanos }) => [budget, Number(nanos)]));
    } catch (error) {
      throw new AppError('store_unavailable', { text: 'The ledger cannot be read right now.', cause: error });
    }
  }

  async #committed(orgId: string, fields: readonly string[]): Promise<readonly (string | null)[] | null> {
    try {
      const keys = budgetKeys(orgId);
      const gen = await this.#redis.hget(keys.head, 'gen');
      return gen === null ? null : await this.#redis.hmget(keys.totals(gen), ...fields);
    } catch {
      return null; // what is set aside is not known; what was spent is
    }
  }
}
