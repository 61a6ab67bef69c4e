import { Module } from '@nestjs/common';
import { AdminSessions, TokenIndex } from '#libs/keys-budgets/index.js';
import { DEFAULT_ORG_ID, REGISTRY_FEED, type RegistryFeed } from '#libs/registry/index.js';
import { MONGO, POSTGRES, REDIS, type HealthSources } from '#libs/stores/index.js';
import { DataPlaneRunner } from '../proxy/data-plane-runner.js';
import { ProxyModule } from '../proxy/proxy.module.js';
import { AccessControl } from './access-control.js';
import { AuthController } from './auth.controller.js';
import { DocsController } from './docs.controller.js';
import { HealthController } from './health.controller.js';
import { LandingController } from './landing.controller.js';
import { MetricsController } from './metrics.controller.js';
import { OpenApi } from './openapi.js';
import { Readiness } from './readiness.js';

const makeReadiness = (
  postgres: HealthSources['postgres'],
  redis: HealthSources['redis'],
  mongodb: NonNullable<HealthSources['mongodb']> | null,
  feed: RegistryFeed,
  { plane }: DataPlaneRunner,
): Readiness =>
  new Readiness({ postgres, redis, mongodb }, feed, {
    isDraining: () => plane.draining,
    areBudgetsOpen: () => plane.budgets.isReady(DEFAULT_ORG_ID),
  });

/** The glue of the admin side: who may call, health, metrics, the API's description and the first page. */
@Module({
  imports: [ProxyModule],
  controllers: [LandingController, AuthController, HealthController, MetricsController, DocsController],
  providers: [
    OpenApi,
    {
      provide: AccessControl,
      inject: [TokenIndex, AdminSessions],
      useFactory: (tokens: TokenIndex, sessions: AdminSessions) => new AccessControl(tokens, sessions),
    },
    { provide: Readiness, inject: [POSTGRES, REDIS, MONGO, REGISTRY_FEED, DataPlaneRunner], useFactory: makeReadiness },
  ],
})
export class AdminModule {}
