// Real stores and whole "processes" (gateway side) for contract suites of the budgets, in one Node process.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import {
  Admission,
  type BudgetDefinition,
  Budgets,
  type BudgetSet,
  type BudgetsOptions,
  RedisBudgetCounters,
} from '#libs/keys-budgets/index.js';
import {
  DrainControl,
  drainRows,
  openPartitions,
  PostgresBudgetLedger,
  PostgresRowWriter,
  RedisEntryReader,
  RedisRowAcks,
  USAGE_TABLE,
  WORKER_GROUP,
} from '#libs/ledger/index.js';
import { newId } from '#libs/platform/ids.js';
import type { Logger } from '#libs/platform/logger.js';
import type { Secret } from '#libs/platform/secret.js';
import {
  budgetKeys,
  connectPostgres,
  createRedis,
  migrate,
  redisReady,
  ROW_STREAM,
  timePartitions,
} from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis } from '#libs/stores/testing.js';

export const USD = 1_000_000_000;

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export function budget(id: string, limitNanos: number, more: Partial<BudgetDefinition> = {}): BudgetDefinition {
  return { id, scope: 'key', limitNanos, period: 'lifetime', timeZone: 'UTC', weekStart: 1, mode: 'strict', ...more };
}

export const event = (model = 'm'): string => JSON.stringify({ keyId: 'key_1', keyName: 'one', model });

/** One gateway's part. */
export interface Gateway {
  readonly budgets: Budgets;
  readonly counters: RedisBudgetCounters;
  readonly redis: Redis;
  /** Dies without a word: its spool stays, its socket is gone. */
  die(): void;
}

export class BudgetsRig implements AsyncDisposable {
  readonly #cleanUp = new AsyncDisposableStack();
  source!: DataSource;
  redisUrl!: Secret;
  /** For looking. */
  redis!: Redis;
  ledger!: PostgresBudgetLedger;
  root!: string;
  #worker: { control: DrainControl; done: Promise<void> } | null = null;

  static async start(): Promise<BudgetsRig> {
    const rig = new BudgetsRig();
    const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
    rig.#cleanUp.defer(() => postgres.stop());
    rig.#cleanUp.defer(() => redis.stop());
    await migrate(postgres.ownerUrl);
    rig.source = await connectPostgres(postgres.ownerUrl, { poolSize: 8, applicationName: 'test' });
    rig.#cleanUp.defer(() => rig.source.destroy());
    await openPartitions(rig.source, USAGE_TABLE);
    rig.redisUrl = redis.url;
    rig.redis = await rig.connect('background');
    rig.ledger = new PostgresBudgetLedger({ source: rig.source, redis: rig.redis, logger: silent });
    rig.root = mkdtempSync(path.join(os.tmpdir(), 'sf-b-'));
    rig.#cleanUp.defer(() => rmSync(rig.root, { recursive: true, force: true }));
    return rig;
  }

  async connect(purpose: 'background' | 'blocking' | 'subscriber'): Promise<Redis> {
    const redis = await redisReady(createRedis(this.redisUrl, purpose), this.redisUrl);
    this.#cleanUp.defer(() => redis.disconnect());
    return redis;
  }

  async gateway(options: Partial<BudgetsOptions> = {}): Promise<Gateway> {
    const redis = await this.connect('background');
    const subscriber = await this.connect('subscriber');
    const counters = new RedisBudgetCounters(redis, subscriber);
    const budgets = await Budgets.open({
      counters,
      ledger: this.ledger,
      spoolRoot: this.root,
      logger: silent,
      onClosed: () => {},
      adoptEveryMs: 3_600_000,
      ...options,
    });
    return {
      budgets,
      counters,
      redis,
      die: () => {
        redis.disconnect();
        subscriber.disconnect();
        budgets.abandon();
      },
    };
  }

  async startWorker(lostAfterMs = 600_000): Promise<void> {
    const reader = new RedisEntryReader({
      blocking: await this.connect('blocking'),
      redis: this.redis,
      stream: ROW_STREAM,
      group: WORKER_GROUP,
      consumer: 'test',
      count: 64,
      waitMs: 50,
    });
    const writer = new PostgresRowWriter({
      source: this.source,
      partitions: timePartitions(this.source, USAGE_TABLE.name, USAGE_TABLE.period),
    });
    const control = new DrainControl();
    const drain = {
      reader,
      writer,
      acks: new RedisRowAcks(this.redis),
      keeper: this.ledger,
      logger: silent,
      ttlMs: 1000,
      lostAfterMs,
    };
    this.#worker = { control, done: drainRows(drain, control) };
  }

  async stopWorker(): Promise<void> {
    this.#worker?.control.stop(2000);
    await this.#worker?.done;
    this.#worker = null;
  }

  /** Total committed in Redis, by the sum of its parts too. */
  async totalOf(orgId: string, field: string): Promise<{ readonly total: number; readonly sum: number }> {
    const keys = budgetKeys(orgId);
    const gen = (await this.redis.hget(keys.head, 'gen')) ?? '0';
    const total = Number((await this.redis.hget(keys.totals(gen), field)) ?? 0);
    let sum = 0;
    for (const key of await this.redis.keys(keys.ceilings(gen, '*')))
      sum += Number((await this.redis.hget(key, field)) ?? 0);
    return { total, sum };
  }

  async rows(
    orgId: string,
  ): Promise<{ id: string; state: string; cost: number; budgets: string[]; process: string }[]> {
    const rows = (await this.source.query(
      `SELECT id, state, cost_nanos, budgets, process_id FROM usage_events WHERE org_id = $1 ORDER BY id`,
      [orgId],
    )) as { id: string; state: string; cost_nanos: string; budgets: string[]; process_id: string }[];
    return rows.map((r) => ({
      id: r.id,
      state: r.state,
      cost: Number(r.cost_nanos),
      budgets: r.budgets,
      process: r.process_id,
    }));
  }

  /** Sum per budget as rolled up, and as the rows say (I3). */
  async spend(orgId: string): Promise<Map<string, { rolledUp: number; rows: number }>> {
    const sums = (await this.source.query(
      `SELECT coalesce(s.budget, r.budget) AS budget, coalesce(s.n, 0)::text AS rolled, coalesce(r.n, 0)::text AS rows FROM
         (SELECT budget, sum(nanos) n FROM budget_spend WHERE org_id = $1 GROUP BY 1) s FULL JOIN
         (SELECT u.b AS budget, sum(cost_nanos) n FROM usage_events, unnest(budgets) u(b) WHERE org_id = $1 GROUP BY 1) r ON s.budget = r.budget`,
      [orgId],
    )) as { budget: string; rolled: string; rows: string }[];
    return new Map(
      sums.map(({ budget: field, rolled, rows }) => [field, { rolledUp: Number(rolled), rows: Number(rows) }]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWorker();
    await this.#cleanUp.disposeAsync();
  }
}

/** Admits and waits for the file; `null` when refused. */
export async function admit(gateway: Gateway, set: BudgetSet, want: number, min = want): Promise<Admission | null> {
  const outcome = await gateway.budgets.admit({
    id: newId('req'),
    set,
    minNanos: min,
    wantNanos: want,
    draft: event(),
  });
  return outcome.ok && (await outcome.written) ? outcome : null;
}

export async function until(condition: () => boolean | Promise<boolean>, withinMs = 8000): Promise<void> {
  for (const endMs = performance.now() + withinMs; !(await condition());) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
