// The whole gateway application in this process, on real stores that the tests may empty, stop and look into.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { installAdmin } from '../../../apps/gateway/src/admin/install-admin.js';
import type { RouteEntry } from '../../../apps/gateway/src/admin/route-table.js';
import { AppModule } from '../../../apps/gateway/src/app.module.js';
import { LiveSettings } from '../../../apps/gateway/src/live-settings.js';
import { toNestLogger } from '../../../apps/gateway/src/nest-logger.js';
import { DataPlaneRunner } from '../../../apps/gateway/src/proxy/data-plane-runner.js';
import { installProxy } from '../../../apps/gateway/src/proxy/install-proxy.js';
import { serverOptions } from '../../../apps/gateway/src/server-options.js';
import { bootstrap, type FirstCredentials } from '#libs/keys-budgets/index.js';
import { loadConfig, type SmartflowConfig } from '#libs/platform/config.js';
import { createLogger } from '#libs/platform/logger.js';
import { createRedis, migrate, redisReady, type StoreUrls } from '#libs/stores/index.js';
import { startTestPostgres, startTestRedis, type TestRedis } from '#libs/stores/testing.js';

export interface AdminGateway {
  readonly url: string;
  readonly urls: StoreUrls;
  readonly dataDir: string;
  readonly first: FirstCredentials;
  readonly redis: TestRedis;
  /** Stops PostgreSQL for good, for tests of its absence. */
  stopPostgres(): Promise<void>;
  /** A call with the bootstrap token; `token: null` sends none. The body is sent as JSON unless it is text already. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Every route of the server, as Fastify has it. */
  readonly routes: readonly RouteEntry[];
  /** A command on the tests' own connection. */
  redisCommand(command: string, ...args: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body parsed, `undefined` when it is no JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by assertions
  readonly json: any;
}

export async function startAdminGateway(file: Readonly<Record<string, unknown>> = {}): Promise<AdminGateway> {
  const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  const urls: StoreUrls = {
    postgres: postgres.appUrl,
    postgresOwner: postgres.ownerUrl,
    redis: redis.url,
    mongodb: null,
  };
  await migrate(urls.postgresOwner);
  const dataDir = await mkdtemp(path.join(os.tmpdir(), 'sf-admin-'));
  const config = await readConfig(dataDir, file);
  const first = await bootstrap({ urls, dataDir });
  const { app, routes } = await compose(config, urls);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const own = await redisReady(createRedis(urls.redis, 'background'), urls.redis);
  let isUp = true;
  const stopPostgres = async (): Promise<void> => {
    if (isUp) await postgres.stop();
    isUp = false;
  };
  return {
    url,
    urls,
    dataDir,
    first,
    redis,
    stopPostgres,
    routes: routes.all(),
    redisCommand: (command, ...args) => own.call(command, ...args),
    call: (method, target, options = {}) => call(url, first, { method, target, options }),
    stop: async () => {
      await app.close();
      own.disconnect();
      await Promise.all([stopPostgres(), redis.stop()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** As `main.ts` does, but with the application at hand. */
export async function compose(
  config: SmartflowConfig,
  urls: StoreUrls,
): Promise<{ readonly app: NestFastifyApplication; readonly routes: ReturnType<typeof installAdmin> }> {
  const log = createLogger({ level: 'error', name: 'test' });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot({ settings: new LiveSettings(config), urls, log }),
    new FastifyAdapter(serverOptions()),
    { bodyParser: false, logger: toNestLogger(log), abortOnError: false },
  );
  installProxy(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, app.get(DataPlaneRunner).plane);
  return { app, routes: installAdmin(app) };
}

async function readConfig(dataDir: string, file: Readonly<Record<string, unknown>>): Promise<SmartflowConfig> {
  const config = {
    listen: '127.0.0.1:0',
    data_dir: dataDir,
    limits: { drain_ms: 0 },
    log: { level: 'error' },
    ...file,
  };
  await writeFile(path.join(dataDir, 'smartflow.yaml'), JSON.stringify(config));
  const result = loadConfig({ env: {}, cwd: dataDir });
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.config;
}

async function call(
  base: string,
  first: FirstCredentials,
  { method, target, options }: { method: string; target: string; options: CallOptions },
): Promise<Answer> {
  const { body, token = first.adminToken.reveal() } = options;
  const response = await fetch(`${base}${target}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
