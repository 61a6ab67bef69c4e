import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { AlertQueue, PostgresAlertOutbox } from '#libs/alerts/index.js';
import { readPepper, RedisLimitCounters, SharedLimiter } from '#libs/keys-budgets/index.js';
import { observeBodies, RedisBodySink } from '#libs/ledger/index.js';
import { newId } from '#libs/platform/ids.js';
import type { Logger } from '#libs/platform/logger.js';
import { gauge } from '#libs/platform/metrics.js';
import { startDemoProvider } from '#libs/providers/demo/index.js';
import { DEFAULT_ORG_ID, REGISTRY_FEED, type RegistryFeed } from '#libs/registry/index.js';
import { ResponseOwners, Router } from '#libs/routing/index.js';
import { createRedis, POSTGRES, redisReady, STORE_URLS, type StoreUrls } from '#libs/stores/index.js';
import { LIVE_SETTINGS, type LiveSettings } from '../live-settings.js';
import { LOGGER } from '../tokens.js';
import { DataPlaneRunner, type DataPlaneParts } from './data-plane-runner.js';
import { DATA_PLANE } from './data-plane.js';
import { openBudgets } from './open-budgets.js';
import { ProxyController } from './proxy.controller.js';

/** How long the last bodies may take to reach their stream when the process ends. */
const FLUSH_DEADLINE_MS = 10_000;

/** Ends what the data plane started, after the server has stopped taking requests. */
class DataPlaneLife implements OnApplicationShutdown {
  constructor(
    readonly runner: DataPlaneRunner,
    private readonly end: () => Promise<void>,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.runner.stop();
    await this.end();
  }
}

type Postgres = Parameters<typeof readPepper>[0];

/** Stores, and what calls are routed with. */
interface Around extends Pick<DataPlaneParts, 'router' | 'responses'> {
  readonly source: Postgres;
  readonly urls: StoreUrls;
}
const AROUND = Symbol('AROUND');

async function startDataPlane(
  settings: LiveSettings,
  feed: RegistryFeed,
  log: Logger,
  { source, urls, ...routing }: Around,
): Promise<DataPlaneLife> {
  const { dataDir } = settings.config.boot;
  const money = await openBudgets({ redisUrl: urls.redis, source, dataDir, orgIds: [DEFAULT_ORG_ID], log });
  // A connection of their own: large bodies must not delay counters and registry.
  const carrier = createRedis(urls.redis, 'background');
  const { maxBodyBytes } = settings.live.archive;
  const bodies = new RedisBodySink({ redis: carrier, logger: log, maxBodyBytes });
  observeBodies(bodies);
  settings.subscribe(({ archive }) => bodies.setMaxBodyBytes(archive.maxBodyBytes));
  const counters = await redisReady(createRedis(urls.redis, 'commands'), urls.redis);
  const processId = newId('inst');
  const limiter = new SharedLimiter(
    { counters: new RedisLimitCounters(counters), logger: log.child({ part: 'limits' }), processId },
    [DEFAULT_ORG_ID],
  );
  gauge('smartflow_limits_away', 'The counters of rate limits do not answer (1)', () => (limiter.isAway ? 1 : 0));
  const demo = await startDemoProvider();
  const pepper = await readPepper(source, 'key');
  const { budgets } = money;
  const alerts = new AlertQueue(new PostgresAlertOutbox(source), log.child({ part: 'alerts' }));
  const runner = new DataPlaneRunner({
    settings,
    feed,
    pepper,
    budgets,
    alerts,
    bodies,
    limiter,
    demo,
    log,
    ...routing,
  });
  return new DataPlaneLife(runner, async () => {
    await money.close();
    await bodies.close(FLUSH_DEADLINE_MS);
    await alerts.close();
    limiter.stop();
    for (const redis of [carrier, counters]) redis.disconnect();
    await demo.stop();
  });
}

/** Wires the data plane: one controller, one `DataPlane`. */
@Module({
  controllers: [ProxyController],
  providers: [
    {
      provide: AROUND,
      inject: [POSTGRES, STORE_URLS, Router, ResponseOwners],
      useFactory: (source: Postgres, urls: StoreUrls, router: Router, responses: ResponseOwners): Around => ({
        source,
        urls,
        router,
        responses,
      }),
    },
    {
      provide: DataPlaneLife,
      inject: [LIVE_SETTINGS, REGISTRY_FEED, LOGGER, AROUND],
      useFactory: startDataPlane,
    },
    { provide: DataPlaneRunner, inject: [DataPlaneLife], useFactory: (life: DataPlaneLife) => life.runner },
    { provide: DATA_PLANE, inject: [DataPlaneRunner], useFactory: (runner: DataPlaneRunner) => runner.plane },
  ],
  exports: [DataPlaneRunner],
})
export class ProxyModule {}
