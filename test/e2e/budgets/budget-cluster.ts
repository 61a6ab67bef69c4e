import path from 'node:path';
import { rm } from 'node:fs/promises';
import { connectPostgres, createRedis, redisReady } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestRedis } from '#libs/stores/testing.js';
import { eventually, startProduct, temporaryDataDir, type Product } from '../harness.js';
import { PayingUpstream, PRICE } from './paying-upstream.js';

export const secretOf = (name: string): string => `key-of-${name}-0123456789abcdef`;
export const NANOS = 1_000_000_000;

/** A row of the ledger, as the database has it. */
export interface Row {
  readonly id: string;
  readonly state: string;
  readonly cost: number;
  readonly bound: number;
  readonly status: number;
  readonly budgets: readonly string[];
}

export interface Sent {
  readonly model?: string;
  readonly maxTokens?: number | null;
  readonly stream?: boolean;
  readonly signal?: AbortSignal;
}

/** Gateways that share stores, and the provider behind them. */
export class BudgetCluster implements AsyncDisposable {
  readonly #cleanUp = new AsyncDisposableStack();
  readonly upstream = new PayingUpstream();
  readonly env: Record<string, string> = {};
  products: Product[] = [];
  folder = '';
  config: Readonly<Record<string, unknown>> = {};
  source!: Awaited<ReturnType<typeof connectPostgres>>;
  redis!: ReturnType<typeof createRedis>;
  redisServer!: TestRedis;

  /** @param config more of the configuration file: keys, teams, … */
  static async start(gateways: number, config: Readonly<Record<string, unknown>>): Promise<BudgetCluster> {
    const cluster = new BudgetCluster();
    const origin = await cluster.upstream.listen();
    cluster.#cleanUp.defer(() => cluster.upstream.stop());
    const [postgres, redis, folder] = await Promise.all([startTestPostgres(), startTestRedis(), temporaryDataDir()]);
    cluster.#cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
    cluster.#cleanUp.defer(() => postgres.stop());
    cluster.#cleanUp.defer(() => redis.stop());
    cluster.folder = folder;
    cluster.redisServer = redis;
    Object.assign(cluster.env, { DATABASE_URL: postgres.ownerUrl.reveal(), REDIS_URL: redis.url.reveal() });
    cluster.config = {
      egress: { allow: ['127.0.0.0/8'] },
      limits: { drain_ms: 500 },
      providers: {
        local: { type: 'openai-compatible', base_url: `${origin}/v1`, api_key: 'sk-upstream-1234567890' },
        anthropic: { type: 'anthropic', base_url: origin, api_key: 'sk-upstream-1234567890' },
      },
      prices: { 'local/paid': PRICE, 'anthropic/claude-paid': PRICE },
      ...config,
    };
    const names = ['a', 'b', 'c'].slice(0, gateways);
    cluster.products = await Promise.all(names.map((name) => cluster.startGateway(name)));
    cluster.#cleanUp.defer(async () => void (await Promise.all(cluster.products.map((product) => product.stop()))));
    cluster.source = await connectPostgres(postgres.ownerUrl, { poolSize: 2, applicationName: 'test' });
    cluster.#cleanUp.defer(() => cluster.source.destroy());
    cluster.redis = await redisReady(createRedis(redis.url, 'background'), redis.url);
    cluster.#cleanUp.defer(() => cluster.redis.disconnect());
    return cluster;
  }

  startGateway(name: string): Promise<Product> {
    return startProduct({ env: this.env, config: this.config, dataDir: path.join(this.folder, name) });
  }

  /** A chat call through one of the gateways. */
  chat(
    key: string,
    text: string,
    { model = 'local/paid', maxTokens = 100, stream, signal }: Sent = {},
    gateway = 0,
  ): Promise<Response> {
    const body = {
      model,
      messages: [{ role: 'user', content: text }],
      ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
      ...(stream === undefined ? {} : { stream }),
    };
    return fetch(`${(this.products[gateway] as Product).url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secretOf(key)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async rows(keyName: string): Promise<Row[]> {
    const rows = (await this.source.query(
      `SELECT id, state, cost_nanos, bound_nanos, status, budgets FROM usage_events WHERE key_name = $1 ORDER BY ts, id`,
      [keyName],
    )) as { id: string; state: string; cost_nanos: string; bound_nanos: string; status: number; budgets: string[] }[];
    return rows.map(({ cost_nanos, bound_nanos, ...row }) => ({
      ...row,
      cost: Number(cost_nanos),
      bound: Number(bound_nanos),
    }));
  }

  /** The rows of a key once there are so many. */
  rowsOnce(keyName: string, count: number, withinMs = 10_000): Promise<Row[]> {
    return eventually(`${count} rows of ${keyName}`, withinMs, async () => {
      const rows = await this.rows(keyName);
      return rows.length >= count ? rows : null;
    });
  }

  /** What the ledger says was spent of a budget, over all its periods. */
  async spent(budget: string): Promise<number> {
    const [row] = (await this.source.query(
      `SELECT coalesce(sum(nanos), 0)::text AS nanos FROM budget_spend WHERE budget LIKE $1 || '|%'`,
      [budget],
    )) as { nanos: string }[];
    return Number(row?.nanos);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.disposeAsync();
  }
}

export const sum = (rows: readonly Row[]): number => rows.reduce((all, { cost }) => all + cost, 0);

export async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.arrayBuffer();
  return response.status;
}
