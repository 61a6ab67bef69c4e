import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import type { EgressPolicy } from '#libs/platform/egress.js';
import { REGISTRY_FEED, RegistryWriter, type RegistryFeed } from '#libs/registry/index.js';
import { POSTGRES } from '#libs/stores/index.js';
import { AlertsController } from './http/alerts.controller.js';
import { WebhooksController } from './http/webhooks.controller.js';
import { PostgresAlertOutbox } from './store/alert-outbox.postgres.js';
import type { AlertOutbox } from './store/alert-outbox.js';
import { ALERT_OUTBOX } from './tokens.js';
import { WebhookAdmin } from './webhook-admin.js';
import { readWebhookPepper } from './webhook-pepper.js';

type Postgres = Parameters<typeof readWebhookPepper>[0];

export interface AlertsModuleOptions {
  /** Which addresses may be reached now, and how to get that in this app. */
  readonly policy: Pick<FactoryProvider<() => EgressPolicy>, 'inject' | 'useFactory'>;
}

const POLICY = Symbol('POLICY');

const makeAdmin = async (
  writer: RegistryWriter,
  feed: RegistryFeed,
  outbox: AlertOutbox,
  policy: () => EgressPolicy,
  postgres: Postgres,
): Promise<WebhookAdmin> =>
  new WebhookAdmin({ writer, feed, outbox, policy, pepper: await readWebhookPepper(postgres), clock: systemClock });

/** The admin API of webhooks and alerts. Needs `StoresModule` and `RegistryModule`; the worker does the sending. */
@Module({})
export class AlertsModule {
  static forRoot({ policy }: AlertsModuleOptions): DynamicModule {
    return {
      module: AlertsModule,
      controllers: [AlertsController, WebhooksController],
      providers: [
        { provide: POLICY, ...policy },
        {
          provide: ALERT_OUTBOX,
          inject: [POSTGRES],
          useFactory: (source: Postgres) => new PostgresAlertOutbox(source),
        },
        {
          provide: WebhookAdmin,
          inject: [RegistryWriter, REGISTRY_FEED, ALERT_OUTBOX, POLICY, POSTGRES],
          useFactory: makeAdmin,
        },
      ],
    };
  }
}
