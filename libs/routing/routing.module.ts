import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import { newId } from '#libs/platform/ids.js';
import { gauge } from '#libs/platform/metrics.js';
import { REGISTRY_FEED, RegistryWriter, type RegistryFeed } from '#libs/registry/index.js';
import { createRedis, redisReady, STORE_URLS, type StoreUrls } from '#libs/stores/index.js';
import { ChainAdmin } from './chain-admin.js';
import { ChainsController } from './http/chains.controller.js';
import { RoutingController } from './http/routing.controller.js';
import { ResponseOwners } from './response-owners.js';
import { RouteObserver, type RoutingSource } from './route-observer.js';
import { Router } from './router.js';
import { RedisHealthShare } from './store/health-share.redis.js';
import { RedisResponseStore } from './store/response-store.redis.js';

const ROUTING_SOURCE = Symbol('ROUTING_SOURCE');

/** The connections of routing and what works over them. */
class RoutingLife implements OnApplicationShutdown {
  private constructor(
    readonly router: Router,
    readonly responses: ResponseOwners,
    private readonly disconnect: () => void,
  ) {}

  static async open(urls: StoreUrls): Promise<RoutingLife> {
    const logger = new Logger('Routing');
    const [told, heard, asked] = [
      createRedis(urls.redis, 'background'),
      createRedis(urls.redis, 'subscriber'),
      createRedis(urls.redis, 'commands'),
    ] as const;
    await redisReady(told, urls.redis);
    const router = new Router(systemClock);
    observe(router);
    router.health.observe(({ id, reason }, coolMs) => {
      if (coolMs === null) logger.log({ msg: 'a target is called again', target: id });
      else logger.warn({ msg: 'a target is not called for now', target: id, reason, coolMs });
    });
    await router.health.connect(new RedisHealthShare(told, heard, newId('inst')), (isUp, error) => {
      if (isUp) logger.log('the health of targets is shared again');
      else
        logger.warn({
          msg: 'the health of targets is not shared: each gateway goes by its own experience',
          err: error,
        });
    });
    return new RoutingLife(router, new ResponseOwners(new RedisResponseStore(asked)), () => {
      router.health.disconnect();
      for (const redis of [told, heard, asked]) redis.disconnect();
    });
  }

  onApplicationShutdown(): void {
    this.disconnect();
  }
}

/** Many tests of one process make more than one application: the metric follows the latest. */
let observed: Router | null = null;

function observe(router: Router): void {
  const isFirst = observed === null;
  observed = router;
  if (!isFirst) return;
  gauge('smartflow_routing_open_targets', 'Targets that calls are kept from, as this process knows.', () => {
    let open = 0;
    for (const state of observed?.health.states() ?? []) if (state.breaker !== 'closed') open++;
    return open;
  });
}

/**
 * What calls are routed with, global: the `Router` (health of targets, shared through Redis) and `ResponseOwners`. Needs
 * `StoresModule`.
 */
@Module({})
export class RoutingModule {
  static forRoot(): DynamicModule {
    return {
      module: RoutingModule,
      global: true,
      providers: [
        { provide: RoutingLife, inject: [STORE_URLS], useFactory: RoutingLife.open },
        { provide: Router, inject: [RoutingLife], useFactory: (life: RoutingLife) => life.router },
        { provide: ResponseOwners, inject: [RoutingLife], useFactory: (life: RoutingLife) => life.responses },
      ],
      exports: [Router, ResponseOwners],
    };
  }
}

/** The admin API of routing: chains, dry runs, targets. Needs `RoutingModule` and `RegistryModule`. */
@Module({})
export class RoutingAdminModule {
  /** `source`: how to get the `RoutingSource` in this app, and the modules it comes from. */
  static forRoot(
    source: Pick<FactoryProvider<RoutingSource>, 'inject' | 'useFactory'> & Pick<ModuleMetadata, 'imports'>,
  ): DynamicModule {
    const { imports = [], ...factory } = source;
    const observer = (router: Router, feed: RegistryFeed, from: RoutingSource): RouteObserver =>
      new RouteObserver(router, feed, from, systemClock);
    const admin = (writer: RegistryWriter, feed: RegistryFeed, from: RoutingSource): ChainAdmin =>
      new ChainAdmin(writer, feed, from);
    return {
      module: RoutingAdminModule,
      imports: [...imports],
      controllers: [ChainsController, RoutingController],
      providers: [
        { provide: ROUTING_SOURCE, ...factory },
        { provide: RouteObserver, inject: [Router, REGISTRY_FEED, ROUTING_SOURCE], useFactory: observer },
        { provide: ChainAdmin, inject: [RegistryWriter, REGISTRY_FEED, ROUTING_SOURCE], useFactory: admin },
      ],
    };
  }
}
