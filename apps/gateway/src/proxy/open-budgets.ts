import { setTimeout as sleep } from 'node:timers/promises';
import { Budgets, RedisBudgetCounters, spoolFolderOf } from '#libs/keys-budgets/index.js';
import { PostgresBudgetLedger } from '#libs/ledger/index.js';
import type { Logger } from '#libs/platform/logger.js';
import type { Secret } from '#libs/platform/secret.js';
import { createRedis, redisReady } from '#libs/stores/index.js';
import { observeBudgets } from './budget-metrics.js';

export interface BudgetParts {
  readonly redisUrl: Secret;
  readonly source: ConstructorParameters<typeof PostgresBudgetLedger>[0]['source'];
  readonly dataDir: string;
  /** Organisations to register in at once; any other is registered in when it is first met. */
  readonly orgIds: readonly string[];
  readonly log: Logger;
}

/** The budgets of this process with their connections. */
export interface OpenBudgets {
  readonly budgets: Budgets;
  /** Call when no call is open any more; at most some seconds. */
  close(): Promise<void>;
}

/** How long a start waits for counters that are being rebuilt; calls under hard budgets wait for them by themselves. */
const READY_MS = 3000;
/** The last rows go to the ledger; what is not there by then is left to whoever adopts the spool. */
const CLOSE_MS = 5000;
/** Exit code of a process that the ledger has closed; its supervisor starts another one. */
const CLOSED = 3;

/**
 * Opens budgets and spool. Rejects with a sentence when Redis or the spool's folder cannot hold money
 * (`CounterStoreUnfitError`, `SpoolUnusableError`), or when Redis cannot be reached.
 */
export async function openBudgets({ redisUrl, source, dataDir, orgIds, log }: BudgetParts): Promise<OpenBudgets> {
  // Own connections: the messages must be held up neither by rows nor by the rare operations of the ledger.
  const purposes = ['commands', 'subscriber', 'background', 'background'] as const;
  const connections = purposes.map((purpose) => createRedis(redisUrl, purpose));
  const disconnect = (): void => connections.forEach((redis) => redis.disconnect());
  try {
    const [commands, subscriber, shipping, rare] = (await Promise.all(
      connections.map((redis) => redisReady(redis, redisUrl)),
    )) as [Connection, Connection, Connection, Connection];
    const logger = log.child({ part: 'budgets' });
    const budgets = await Budgets.open({
      counters: new RedisBudgetCounters(commands, subscriber, shipping),
      ledger: new PostgresBudgetLedger({ source, redis: rare, logger }),
      spoolRoot: spoolFolderOf(dataDir),
      logger,
      onClosed: () => setImmediate(() => process.exit(CLOSED)), // its calls are booked, whatever they do from here on
    });
    for (const orgId of orgIds) budgets.compile(orgId, []);
    const untilMs = performance.now() + READY_MS;
    while (!orgIds.every((orgId) => budgets.isReady(orgId)) && performance.now() < untilMs) await sleep(5);
    observeBudgets(budgets);
    return {
      budgets,
      async close() {
        await budgets.close(CLOSE_MS);
        disconnect();
      },
    };
  } catch (error) {
    disconnect();
    throw error;
  }
}

type Connection = ReturnType<typeof createRedis>;
