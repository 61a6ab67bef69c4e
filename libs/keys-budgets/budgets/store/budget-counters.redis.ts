import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { budgetKeys, ROW_ACKS, ROW_STREAM, type BudgetKeys } from '#libs/stores/index.js';
import type { BudgetCounters, Shipment, ShipReply, TurnReply } from '../budget-counters.js';

const TURN = readFileSync(new URL('../turn.lua', import.meta.url), 'utf8');
const SHIP = readFileSync(new URL('../ship.lua', import.meta.url), 'utf8');

type Args = readonly (string | number)[];
interface Scripts {
  budgetTurn(head: string, totals: string, ceilings: string, ...args: Args): Promise<unknown>;
  budgetShip(stream: string, acks: string, ...args: Args): Promise<unknown>;
}

/** The counters in Redis (≥ 6.2) or Valkey. The connections belong to the caller. */
export class RedisBudgetCounters implements BudgetCounters {
  readonly #redis: Redis & Scripts;
  readonly #shipping: Redis & Scripts;
  readonly #subscriber: Redis;
  readonly #keys = new Map<string, BudgetKeys>();
  readonly #listeners = new Map<string, (field: string) => void>();

  /**
   * @param redis purpose `commands`: a message without an answer is followed by the next, so waiting long helps nobody
   * @param subscriber purpose `subscriber`
   * @param shipping purpose `background`: batches of rows may be large and must not hold up the messages
   */
  constructor(redis: Redis, subscriber: Redis, shipping: Redis = redis) {
    redis.defineCommand('budgetTurn', { lua: TURN, numberOfKeys: 3 });
    shipping.defineCommand('budgetShip', { lua: SHIP, numberOfKeys: 2 });
    this.#redis = redis as Redis & Scripts;
    this.#shipping = shipping as Redis & Scripts;
    this.#subscriber = subscriber;
    subscriber.on('message', (channel: string, field: string) => this.#listeners.get(channel)?.(field));
    subscriber.on('ready', () => this.#subscribe([...this.#listeners.keys()]));
  }

  async turn(orgId: string, gen: string, processId: string, args: Args): Promise<TurnReply> {
    const keys = this.#keysOf(orgId);
    const answer = await this.#redis.budgetTurn(keys.head, keys.totals(gen), keys.ceilings(gen, processId), ...args);
    const [status, nowMs, open, values, grants] = answer as [string, number, number, number[], number[]];
    if (status !== 'OK') return { status: status as 'GEN' | 'OUT' | 'OLD' };
    return { status, nowMs, open: open === 1, values, grants };
  }

  async ship({ run, processId, from, to, rows }: Shipment): Promise<ShipReply> {
    const answer = await this.#shipping.budgetShip(ROW_STREAM, ROW_ACKS, run, processId, from, to, rows);
    const [status, value] = answer as [string, string];
    return status === 'OK' ? { status, acked: Number(value) } : { status: 'RUN', run: value };
  }

  onRecall(orgId: string, listener: (field: string) => void): void {
    const { recall } = this.#keysOf(orgId);
    this.#listeners.set(recall, listener);
    this.#subscribe([recall]);
  }

  async check(): Promise<void> {
    await checkCounterStore(this.#redis);
  }

  #subscribe(channels: readonly string[]): void {
    // a connection that is not ready subscribes to all of them when it is
    if (channels.length > 0) this.#subscriber.subscribe(...channels).catch(() => {});
  }

  #keysOf(orgId: string): BudgetKeys {
    let keys = this.#keys.get(orgId);
    if (keys === undefined) this.#keys.set(orgId, (keys = budgetKeys(orgId)));
    return keys;
  }
}

/** This Redis cannot hold budgets; the message says what to change. */
export class CounterStoreUnfitError extends Error {}

/**
 * Refuses a Redis in which money could vanish unseen: one that may not be asked for its run_id (a restart from an older
 * state would go unnoticed), or that drops keys without expiry when memory is short.
 * @throws CounterStoreUnfitError with a sentence for the operator; any other error: it could not be asked
 */
export async function checkCounterStore(redis: Pick<Redis, 'eval'>): Promise<void> {
  let info: string;
  try {
    // through a script, as the budgets do: the user needs both EVAL and INFO
    info = String(await redis.eval(`return redis.call('INFO', 'server') .. redis.call('INFO', 'memory')`, 0));
  } catch (error) {
    const { message } = error as Error;
    if (!/NOPERM|can't run this command|ACL failure|unknown command|not allowed/i.test(message)) throw error;
    throw new CounterStoreUnfitError(
      'Redis refuses INFO to its user, and without it a restart from older data would go unnoticed and budgets could be ' +
        'overspent: grant it, e.g. ACL SETUSER <user> +info +eval +evalsha',
      { cause: error },
    );
  }
  if (!/^run_id:[0-9a-f]{40}\r?$/m.test(info)) {
    throw new CounterStoreUnfitError('Redis tells no run_id in INFO: a restart from older data would go unnoticed');
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? '';
  if (policy.startsWith('allkeys-')) {
    throw new CounterStoreUnfitError(
      `Redis has maxmemory-policy ${policy} and may drop the counters of budgets: set noeviction or volatile-lru`,
    );
  }
}
