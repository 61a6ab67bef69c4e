import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { budgetKeys, type BudgetKeys } from '#libs/stores/index.js';
import { withConnection, type Sql } from './sql.postgres.js';

const ADMIN = readFileSync(new URL('./admin.lua', import.meta.url), 'utf8');

type AdminOperation = 'fence' | 'start' | 'join' | 'fold' | 'drop' | 'open' | 'sweep' | 'swept';

/** The counters answered that this writer is too late, or that they belong to another life of the server. */
export class CountersMovedError extends Error {}

/** The counters of one organisation while its lock is held. */
export class Generation {
  readonly sql: Sql;
  readonly orgId: string;
  readonly keys: BudgetKeys;
  readonly redis: Redis;
  readonly fence: string;
  gen = '0';
  isOpen = false;
  /** When the generation began and what time it is, by the store's clock. */
  sinceMs = 0;
  nowMs = 0;
  /** Keys of generations before this one are gone. */
  sweptBefore = 0;

  constructor(sql: Sql, redis: Redis, orgId: string, fence: string) {
    this.sql = sql;
    this.redis = redis;
    this.orgId = orgId;
    this.keys = budgetKeys(orgId);
    this.fence = fence;
  }

  /** Runs one operation of `admin.lua`. @throws CountersMovedError when another writer or server life came between */
  async admin(
    operation: AdminOperation,
    processId: string,
    args: readonly (string | number)[] = [],
    moreKeys: readonly string[] = [],
  ): Promise<string[]> {
    const { head, totals, ceilings, closed, joined } = this.keys;
    const { gen } = this;
    const keys = [head, totals(gen), ceilings(gen, processId), closed(gen), joined(gen), ...moreKeys];
    const answer = (await this.redis.eval(
      ADMIN,
      keys.length,
      ...keys,
      operation,
      this.fence,
      gen,
      processId,
      ...args,
    )) as string[];
    if (answer[0] !== 'OK') throw new CountersMovedError(`budget counters: ${operation} answered ${answer[0]}`);
    return answer;
  }
}

export interface LockOptions {
  /** Begin a new generation in any case. */
  readonly renew?: boolean;
  /** After the fence was raised. A new generation has begun: the old counters are not to be trusted. */
  readonly onNewGeneration?: (gen: string) => void;
}

// A frozen holder loses its connection, and with it the lock; its late writes meet the fence.
const SETTINGS = `
  SET lock_timeout = '3s'; SET statement_timeout = '10s';
  SET idle_session_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'`;
const RESET = `
  RESET lock_timeout; RESET statement_timeout; RESET idle_session_timeout; RESET idle_in_transaction_session_timeout`;

/**
 * Runs `work` alone in its organisation, on a generation that is known to belong to this life of the server: a Redis that
 * was restarted, restored, emptied or replaced is noticed here, and a new generation begun.
 *
 * I5: writers are ordered by a fence number, taken under the lock and raised in Redis before anything is read.
 */
export async function underLock<T>(
  source: DataSource,
  redis: Redis,
  orgId: string,
  work: (generation: Generation) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  return withConnection(source, async (sql) => {
    await sql.query(SETTINGS);
    const lock = [`smartflow:budgets:${orgId}`];
    await sql.query(`SELECT pg_advisory_lock(hashtextextended($1, 0))`, lock);
    const generation = await beginFenced(sql, redis, orgId, options);
    const result = await work(generation);
    await sql.query(`SELECT pg_advisory_unlock(hashtextextended($1, 0))`, lock);
    await sql.query(RESET);
    return result;
  });
}

interface Row {
  readonly gen: string;
  readonly run: string;
  readonly fence: string;
}

async function beginFenced(sql: Sql, redis: Redis, orgId: string, options: LockOptions): Promise<Generation> {
  await sql.query(`INSERT INTO budget_generations (org_id) VALUES ($1) ON CONFLICT DO NOTHING`, [orgId]);
  const [row] = await sql.query<Row>(
    `UPDATE budget_generations SET fence = fence + 1 WHERE org_id = $1 RETURNING gen, run, fence`,
    [orgId],
  );
  const { gen, run, fence } = row as Row;
  const generation = new Generation(sql, redis, orgId, fence);
  generation.gen = gen;
  const [, runNow = '', runThen, genThen, open, since, now, swept] = await generation.admin('fence', '');
  generation.isOpen = open === '1';
  generation.sinceMs = Number(since);
  generation.nowMs = Number(now);
  generation.sweptBefore = Number(swept);
  const isSame = runNow === runThen && runNow === run && genThen === gen;
  if (isSame && options.renew !== true) return generation;
  const [next] = await sql.query<{ gen: string }>(
    `UPDATE budget_generations SET gen = gen + 1, run = $2 WHERE org_id = $1 RETURNING gen`,
    [orgId, runNow],
  );
  generation.gen = (next as { gen: string }).gen;
  await generation.admin('start', '', [runNow]);
  generation.isOpen = false;
  generation.sinceMs = generation.nowMs;
  options.onNewGeneration?.(generation.gen);
  return generation;
}
