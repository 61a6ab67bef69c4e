import {
  deliverAlerts,
  keepLooking,
  PostgresAlertOutbox,
  readWebhookPepper,
  RegistryWebhooks,
  SpendWatch,
  StoreWatch,
  type BudgetDirectory,
} from '#libs/alerts/index.js';
import { BudgetBook } from '#libs/keys-budgets/index.js';
import { PostgresSpendSums } from '#libs/ledger/index.js';
import { systemClock } from '#libs/platform/clock.js';
import { watchConfig, type LiveConfig, type SmartflowConfig } from '#libs/platform/config.js';
import { EgressClient, EgressPolicy } from '#libs/platform/egress.js';
import type { Logger } from '#libs/platform/logger.js';
import { DEFAULT_ORG_ID, PostgresRegistryStore, PulledRegistry } from '#libs/registry/index.js';
import { createRedis, type connectPostgres, type StoreUrls } from '#libs/stores/index.js';
import { StoreSigns } from './store-signs.js';

type Source = Awaited<ReturnType<typeof connectPostgres>>;

export interface AlertWork {
  readonly config: SmartflowConfig;
  readonly urls: StoreUrls;
  /** Connected as the owner of the ledger. */
  readonly source: Source;
  readonly logger: Logger;
  /** Ends the work, and then what it opened. */
  readonly opened: AsyncDisposableStack;
}

const SPEND_EVERY_MS = 1000;
const STORES_EVERY_MS = 5000;
const CHECK_MS = 2000;

/**
 * Notices what is to be told (budgets, prices, stores) and sends it to webhooks, until `opened` is disposed. Settings of the
 * file (owners, `egress.allow`) are followed. A store that is away is waited for; nothing else waits for this.
 */
export async function tellAlerts({ config, urls, source, logger: parent, opened }: AlertWork): Promise<void> {
  const logger = parent.child({ part: 'alerts' });
  const live = followFile(config, opened);
  const registry = new PulledRegistry(new PostgresRegistryStore(source));
  const outbox = new PostgresAlertOutbox(source);
  const pepper = await readWebhookPepper(source);
  const directory = new RegistryWebhooks(async () => (await registry.current()).all('webhook'), pepper);
  const client = new EgressClient({ purpose: 'webhooks', policy: () => new EgressPolicy(live().egressAllow) });
  const redis = createRedis(urls.redis, 'background');
  const signs = new StoreSigns({ postgres: source, redis }, urls.mongodb);
  const spend = new SpendWatch({
    spend: new PostgresSpendSums(source),
    budgets: budgetsOf(registry, live),
    outbox,
    clock: systemClock,
  });
  const stores = new StoreWatch({
    check: () => signs.check(CHECK_MS),
    outbox,
    clock: systemClock,
    orgIds: [DEFAULT_ORG_ID],
  });
  const end = new AbortController();
  const work = Promise.all([
    deliverAlerts({ outbox, directory, client, clock: systemClock, logger }, end.signal),
    keepLooking({ what: 'spending', everyMs: SPEND_EVERY_MS, look: () => spend.look() }, logger, end.signal),
    keepLooking({ what: 'stores', everyMs: STORES_EVERY_MS, look: () => stores.look() }, logger, end.signal),
  ]);
  opened.defer(async () => {
    end.abort();
    await client.close(); // cuts attempts under way
    redis.disconnect();
    await signs.close();
    await work;
  });
}

/** The settings in force. What is wrong with a changed file is told by the gateway. */
function followFile(config: SmartflowConfig, opened: AsyncDisposableStack): () => LiveConfig {
  let { live } = config;
  if (config.file !== null) {
    const onChange = (changed: SmartflowConfig): void => {
      live = changed.live;
    };
    const watch = watchConfig(config.file, { onChange, onRefused: () => {} }, { current: config });
    opened.defer(() => watch.stop());
  }
  return () => live;
}

/** The budgets of keys, owners and organisations, in the form in which alerts ask for them. */
function budgetsOf(registry: PulledRegistry, live: () => LiveConfig): () => Promise<BudgetDirectory> {
  let book = BudgetBook.empty;
  return async () => {
    const current = (book = book.at(await registry.current(), live()));
    return {
      find(orgId, id) {
        const budget = current.find(orgId, id);
        return budget === null ? null : { ...budget, orgId, isHard: budget.mode !== 'soft' };
      },
    };
  };
}
