// What the contract suites of the ledger stand on: real stores, each behind a gate, and made-up calls.
import type { UsageEvent } from '#libs/ledger/index.js';
import { loadConfig, type SmartflowConfig } from '#libs/platform/config.js';
import { uuidv7 } from '#libs/platform/ids.js';
import { createLogger, type Logger } from '#libs/platform/logger.js';
import { Secret } from '#libs/platform/secret.js';
import { connectPostgres, createRedis, migrate, redisReady, type StoreUrls } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis } from '#libs/stores/testing.js';
import { TcpGate } from './tcp-gate.js';

export type Redis = ReturnType<typeof createRedis>;
export type Source = Awaited<ReturnType<typeof connectPostgres>>;

/** A logger whose lines can be read. */
export function listeningLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    logger: createLogger({ level: 'info', name: 'test', destination: { write: (line) => void lines.push(line) } }),
  };
}

export interface RedisRig {
  /** Past the gate, for looking. */
  readonly redis: Redis;
  readonly url: Secret;
  readonly gate: TcpGate;
  readonly gatedUrl: Secret;
  stop(): Promise<void>;
}

export async function redisRig(): Promise<RedisRig> {
  const server = await startTestRedis();
  const { gate, url } = await TcpGate.before(server.url.reveal());
  const redis = await redisReady(createRedis(server.url, 'background'), server.url);
  return {
    redis,
    url: server.url,
    gate,
    gatedUrl: new Secret(url),
    stop: async () => {
      redis.disconnect();
      await gate.close();
      await server.stop();
    },
  };
}

export interface StoresRig {
  readonly redis: RedisRig;
  /** Past the gate, for looking. */
  readonly source: Source;
  readonly postgresGate: TcpGate;
  /** Through the gates. */
  readonly urls: StoreUrls;
  stop(): Promise<void>;
}

export async function storesRig(): Promise<StoresRig> {
  const [redis, postgres] = await Promise.all([redisRig(), startTestPostgres()]);
  await migrate(postgres.ownerUrl);
  const { gate, url } = await TcpGate.before(postgres.ownerUrl.reveal());
  const source = await connectPostgres(postgres.ownerUrl, { poolSize: 4, applicationName: 'contract' });
  const gated = new Secret(url);
  return {
    redis,
    source,
    postgresGate: gate,
    urls: { postgres: postgres.appUrl, postgresOwner: gated, redis: redis.gatedUrl, mongodb: null },
    stop: async () => {
      await source.destroy();
      await gate.close();
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  };
}

export function defaultConfig(): SmartflowConfig {
  const result = loadConfig({ env: {}, cwd: '/' });
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.config;
}

/** A UUIDv7 of a given moment, whatever was made before. */
export function uuidAt(timeMs: number): string {
  return (
    timeMs
      .toString(16)
      .padStart(12, '0')
      .replace(/^(.{8})/, '$1-') + uuidv7().slice(13)
  );
}

export function usageEvent(changes: Partial<UsageEvent> = {}): UsageEvent {
  return {
    id: `req_${uuidv7()}`,
    orgId: 'org_default',
    keyId: 'key_0198c0de-0000-7000-8000-000000000001',
    keyName: 'ci',
    team: 'research',
    user: null,
    app: null,
    tags: ['health-portal', 'x"y'],
    route: '/v1/chat/completions',
    dialect: 'openai',
    provider: 'demo',
    modelRequested: 'fast',
    model: 'echo',
    stream: true,
    status: 200,
    upstreamStatus: 200,
    error: null,
    usage: {
      inputTokens: 12,
      cachedInputTokens: 3,
      cacheWrite5mTokens: 2,
      cacheWrite1hTokens: 1,
      outputTokens: 34,
      reasoningTokens: 5,
      webSearchRequests: 1,
      details: { serviceTier: 'priority', inputAudioTokens: 2 },
      raw: '{"prompt_tokens":12,  "odd":1.0}',
    },
    usageSource: 'measured',
    costNanos: 1_850_000,
    priceVersion: '2026-11-01',
    costEstimates: ['tier_price'],
    latencyMs: 1234,
    firstByteMs: 321,
    attempts: 1,
    chain: null,
    requestId: null,
    traceId: '0af7651916cd43dd8448eb211c80319c',
    ...changes,
  };
}

/** Asks until it holds; fails after `withinMs`. For states, never for sleeping. */
export async function eventually(
  what: string,
  withinMs: number,
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
