import { Module, type DynamicModule, type FactoryProvider, type OnApplicationShutdown } from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import { REGISTRY_FEED, RegistryWriter, type RegistryFeed } from '#libs/registry/index.js';
import { createRedis, POSTGRES, redisReady, STORE_URLS, type StoreUrls } from '#libs/stores/index.js';
import type { BudgetSums } from './budget-listing.js';
import { BUDGET_SUMS, BudgetsController, DECLARED } from './http/budgets.controller.js';
import { KEY_USES, KeyAnswers } from './http/key-answers.js';
import { KeyActionsController } from './http/key-actions.controller.js';
import { KeysController } from './http/keys.controller.js';
import { OrgsController } from './http/orgs.controller.js';
import { OWNER_CONTROLLERS } from './http/owners.controller.js';
import { TokensController } from './http/tokens.controller.js';
import { KeyAdmin, type Declared } from './key-admin.js';
import type { KeyUses } from './key-view.js';
import { OrgAdmin } from './org-admin.js';
import { OwnerAdmin } from './owner-admin.js';
import { readPepper } from './peppers.js';
import { AdminLinks } from './store/admin-links.postgres.js';
import { AdminSessions } from './store/admin-sessions.redis.js';
import { TokenAdmin } from './token-admin.js';
import { TokenIndex } from './token-index.js';

type Postgres = Parameters<typeof readPepper>[0];

/** How to get something in this app, e.g. `{ inject: [SETTINGS], useFactory: (s) => () => s.live }`. */
export type From<T> = Pick<FactoryProvider<T>, 'inject' | 'useFactory'>;

export interface KeysModuleOptions {
  /** What the configuration file declares, asked anew each time. */
  readonly declared: From<Declared>;
  /** Where the use of keys is kept. */
  readonly keyUses: From<KeyUses>;
  /** Where what was spent is summed up. */
  readonly budgetSums: From<BudgetSums>;
}

/** A connection of its own: the hot path's gives up after 50 ms, which is too soon for a person who signs in. */
class SessionStore implements OnApplicationShutdown {
  constructor(
    readonly sessions: AdminSessions,
    private readonly disconnect: () => void,
  ) {}

  static async open(urls: StoreUrls, postgres: Postgres): Promise<SessionStore> {
    const redis = await redisReady(createRedis(urls.redis, 'background'), urls.redis);
    const sessions = new AdminSessions(redis, await readPepper(postgres, 'session'), systemClock);
    return new SessionStore(sessions, () => redis.disconnect());
  }

  onApplicationShutdown(): void {
    this.disconnect();
  }
}

const makeKeyAdmin = async (writer: RegistryWriter, feed: RegistryFeed, declared: Declared, postgres: Postgres) =>
  new KeyAdmin(writer, feed, declared, await readPepper(postgres, 'key'), systemClock);
const makeOwnerAdmin = (writer: RegistryWriter, feed: RegistryFeed, declared: Declared) =>
  new OwnerAdmin(writer, feed, declared, systemClock);
const makeOrgAdmin = (writer: RegistryWriter, feed: RegistryFeed, declared: Declared) =>
  new OrgAdmin(writer, feed, declared);
const makeTokenAdmin = async (writer: RegistryWriter, feed: RegistryFeed, postgres: Postgres) =>
  new TokenAdmin(writer, feed, await readPepper(postgres, 'token'), systemClock);
const makeTokenIndex = async (feed: RegistryFeed, postgres: Postgres) =>
  new TokenIndex(feed, await readPepper(postgres, 'token'));
const makeLinks = async (postgres: Postgres) =>
  new AdminLinks(postgres, await readPepper(postgres, 'link'), systemClock);

/**
 * The admin API of organisations, teams, users, apps, tags, virtual keys and API tokens, and what the admin side signs callers
 * in with (`TokenIndex`, `AdminLinks`, `AdminSessions`), global. Needs `StoresModule` and `RegistryModule`.
 */
@Module({})
export class KeysModule {
  static forRoot({ declared, keyUses, budgetSums }: KeysModuleOptions): DynamicModule {
    return {
      module: KeysModule,
      global: true,
      controllers: [
        BudgetsController,
        KeyActionsController,
        KeysController,
        OrgsController,
        ...OWNER_CONTROLLERS,
        TokensController,
      ],
      providers: [
        { provide: DECLARED, ...declared },
        { provide: KEY_USES, ...keyUses },
        { provide: BUDGET_SUMS, ...budgetSums },
        KeyAnswers,
        { provide: KeyAdmin, inject: [RegistryWriter, REGISTRY_FEED, DECLARED, POSTGRES], useFactory: makeKeyAdmin },
        { provide: OwnerAdmin, inject: [RegistryWriter, REGISTRY_FEED, DECLARED], useFactory: makeOwnerAdmin },
        { provide: OrgAdmin, inject: [RegistryWriter, REGISTRY_FEED, DECLARED], useFactory: makeOrgAdmin },
        { provide: TokenAdmin, inject: [RegistryWriter, REGISTRY_FEED, POSTGRES], useFactory: makeTokenAdmin },
        { provide: TokenIndex, inject: [REGISTRY_FEED, POSTGRES], useFactory: makeTokenIndex },
        { provide: AdminLinks, inject: [POSTGRES], useFactory: makeLinks },
        { provide: SessionStore, inject: [STORE_URLS, POSTGRES], useFactory: SessionStore.open },
        { provide: AdminSessions, inject: [SessionStore], useFactory: (store: SessionStore) => store.sessions },
      ],
      exports: [TokenIndex, AdminLinks, AdminSessions],
    };
  }
}
