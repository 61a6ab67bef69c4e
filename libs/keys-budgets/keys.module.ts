import { Module, type DynamicModule, type FactoryProvider, type OnApplicationShutdown } from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import type { FileKeyConfig } from '#libs/platform/config.js';
import { REGISTRY_FEED, RegistryWriter, type RegistryFeed } from '#libs/registry/index.js';
import { createRedis, POSTGRES, redisReady, STORE_URLS, type StoreUrls } from '#libs/stores/index.js';
import { KeysController } from './http/keys.controller.js';
import { TokensController } from './http/tokens.controller.js';
import { KeyAdmin } from './key-admin.js';
import { readPepper } from './peppers.js';
import { AdminLinks } from './store/admin-links.postgres.js';
import { AdminSessions } from './store/admin-sessions.redis.js';
import { TokenAdmin } from './token-admin.js';
import { TokenIndex } from './token-index.js';

type Postgres = Parameters<typeof readPepper>[0];

/** The keys that the configuration file declares, asked anew each time. */
export type FileKeys = () => readonly FileKeyConfig[];
const FILE_KEYS = Symbol('FILE_KEYS');

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

const makeKeyAdmin = async (writer: RegistryWriter, feed: RegistryFeed, fileKeys: FileKeys, postgres: Postgres) =>
  new KeyAdmin(writer, feed, fileKeys, await readPepper(postgres, 'key'), systemClock);
const makeTokenAdmin = async (writer: RegistryWriter, feed: RegistryFeed, postgres: Postgres) =>
  new TokenAdmin(writer, feed, await readPepper(postgres, 'token'), systemClock);
const makeTokenIndex = async (feed: RegistryFeed, postgres: Postgres) =>
  new TokenIndex(feed, await readPepper(postgres, 'token'));
const makeLinks = async (postgres: Postgres) =>
  new AdminLinks(postgres, await readPepper(postgres, 'link'), systemClock);

/**
 * The admin API of virtual keys and API tokens, and what the admin side signs callers in with (`TokenIndex`, `AdminLinks`,
 * `AdminSessions`), global. Needs `StoresModule` and `RegistryModule`.
 */
@Module({})
export class KeysModule {
  /** `fileKeys`: how to get the `FileKeys` in this app, e.g. `{ inject: [SETTINGS], useFactory: (s) => () => s.live.keys }`. */
  static forRoot(fileKeys: Pick<FactoryProvider<FileKeys>, 'inject' | 'useFactory'>): DynamicModule {
    return {
      module: KeysModule,
      global: true,
      controllers: [KeysController, TokensController],
      providers: [
        { provide: FILE_KEYS, ...fileKeys },
        { provide: KeyAdmin, inject: [RegistryWriter, REGISTRY_FEED, FILE_KEYS, POSTGRES], useFactory: makeKeyAdmin },
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
