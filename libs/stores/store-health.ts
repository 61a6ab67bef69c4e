import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { DataSource } from 'typeorm';

/** State of one store. `reason` names no address and no credential. */
export interface StoreState {
  readonly state: 'up' | 'down';
  readonly latencyMs: number;
  readonly reason: string | null;
}

export interface HealthSources {
  readonly postgres: DataSource;
  readonly redis: Redis;
  readonly mongodb?: Connection | null;
}

/** One state per store in use. */
export type StoresHealth = Readonly<Record<string, StoreState>>;

/** Asks every store for a sign of life, all at once, each for at most `timeoutMs`. Never rejects. */
export async function storeHealth(sources: HealthSources, timeoutMs = 1000): Promise<StoresHealth> {
  const { postgres, redis, mongodb } = sources;
  const checks: Record<string, () => Promise<unknown>> = {
    postgres: () => postgres.query('SELECT 1'),
    redis: () => redis.ping(),
    ...(mongodb ? { mongodb: () => ping(mongodb) } : {}),
  };
  const entries = Object.entries(checks).map(async ([name, check]) => [name, await probe(check, timeoutMs)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function ping(connection: Connection): Promise<unknown> {
  if (connection.db === undefined) throw new Error('not connected');
  return connection.db.command({ ping: 1 });
}

async function probe(check: () => Promise<unknown>, timeoutMs: number): Promise<StoreState> {
  const startedAt = performance.now();
  const latencyMs = (): number => Math.round(performance.now() - startedAt);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Late()), timeoutMs);
  });
  try {
    await Promise.race([check(), late]);
    return { state: 'up', latencyMs: latencyMs(), reason: null };
  } catch (error) {
    return { state: 'down', latencyMs: latencyMs(), reason: reasonOf(error, timeoutMs) };
  } finally {
    clearTimeout(timer);
  }
}

class Late extends Error {}

/** A code or a fixed phrase: messages of drivers may name hosts. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Late) return `no answer within ${timeoutMs} ms`;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[A-Z0-9_]{3,30}$/.test(code)) return code;
  const message = error instanceof Error ? error.message : '';
  return /timed? ?out/i.test(message) ? 'timed out' : 'cannot be reached';
}
