import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { SmartflowConfig } from '#libs/platform/config.js';
import { createLogger } from '#libs/platform/logger.js';
import { collectProcessMetrics } from '#libs/platform/metrics.js';
import type { StoreUrls } from '#libs/stores/index.js';
import { installAdmin } from './admin/install-admin.js';
import { AppModule } from './app.module.js';
import { LiveSettings } from './live-settings.js';
import { toNestLogger } from './nest-logger.js';
import { DataPlaneRunner } from './proxy/data-plane-runner.js';
import { installProxy } from './proxy/install-proxy.js';
import { serverOptions } from './server-options.js';

export interface RunningGateway {
  /** Address it serves on, without a slash at the end. */
  readonly url: string;
  /** Drains: calls under way may go on for the configured time, then everything is closed. */
  stop(): Promise<void>;
}

/** How long answers of the admin side may take once the calls are over. */
const LINGER_MS = 3000;

/**
 * Starts the gateway process: configuration → modules → listen.
 * @throws Error when a store cannot be reached, the port is taken, or a route declares no permission
 */
export async function startGateway(config: SmartflowConfig, urls: StoreUrls): Promise<RunningGateway> {
  const { boot } = config;
  const log = createLogger({ level: boot.logLevel, name: 'gateway' });
  collectProcessMetrics();
  const settings = new LiveSettings(config);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot({ settings, urls, log }),
    new FastifyAdapter(serverOptions()),
    {
      bodyParser: false,
      logger: toNestLogger(log),
      abortOnError: false,
    },
  );
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const runner = app.get(DataPlaneRunner);
  installProxy(fastify, runner.plane);
  installAdmin(app);
  await app.listen(boot.listen.port, boot.listen.host);
  settings.follow(log);
  return {
    url: urlOf(fastify, boot.listen.host),
    async stop() {
      settings.stop();
      await runner.drain(boot.drainMs);
      // A connection that was opened ahead and never used does not count as idle: Node would wait a minute for its request.
      const late = setTimeout(() => fastify.server.closeAllConnections(), LINGER_MS);
      await app.close();
      clearTimeout(late);
    },
  };
}

/** Where a client on this machine reaches the server. */
function urlOf(fastify: FastifyInstance, host: string): string {
  const address = fastify.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const reachable = host === '0.0.0.0' || host === '::' || host === '' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
