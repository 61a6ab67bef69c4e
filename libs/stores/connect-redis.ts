import { Redis } from 'ioredis';
import type { Secret } from '#libs/platform/secret.js';
import { addressOf, withoutPassword } from './store-urls.js';

/**
 * What a connection is for decides how long one command may take:
 * - `commands`: hot path, 200 ms: on a busy machine an answer takes that long now and then
 * - `background`: refills, admin and worker commands, 5 s
 * - `blocking`: XREADGROUP BLOCK and the like, 10 s; ask the server to block for at most 5 s
 * - `subscriber`: pub/sub only, 5 s for the subscribe commands
 */
export type RedisPurpose = 'commands' | 'background' | 'blocking' | 'subscriber';

const COMMAND_TIMEOUT_MS: Readonly<Record<RedisPurpose, number>> = {
  commands: 200,
  background: 5000,
  blocking: 10_000,
  subscriber: 5000,
};

/**
 * A Redis connection that fails instead of waiting: nothing is queued while the server is away, nothing is sent twice
 * after a reconnect, a dead server fails a command at once and a frozen one after the purpose's time.
 * It reconnects by itself, for ever, with pauses of 50 to 1000 ms.
 *
 * Connecting begins at once; await {@link redisReady} before the first command. Connection errors reach the commands
 * that meet them; the `error` event has a listener here, so an unreachable server never ends the process.
 */
export function createRedis(url: Secret, purpose: RedisPurpose): Redis {
  const redis = new Redis(url.reveal(), {
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: purpose === 'commands' ? 200 : 2000,
    disconnectTimeout: 500,
    commandTimeout: COMMAND_TIMEOUT_MS[purpose],
    retryStrategy: (attempt) => Math.min(1000, 50 * attempt) + Math.random() * 50,
    // After a fail-over the old primary answers READONLY: reconnect, so that the new one is found.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    connectionName: `smartflow-${purpose}`,
  });
  redis.on('error', () => {});
  return redis;
}

/**
 * Waits until the connection takes commands; rejects after `timeoutMs`, or at once when the password is
 * refused, with the server's address and the last error.
 */
export async function redisReady(redis: Redis, url: Secret, timeoutMs = 5000): Promise<Redis> {
  if (redis.status === 'ready') return redis;
  let last: Error | null = null;
  await new Promise<void>((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      redis.off('ready', onReady).off('error', onError);
    };
    const fail = (): void => {
      finish();
      const why = last === null ? 'no answer' : withoutPassword(last.message, url);
      reject(new Error(`Redis at ${addressOf(url)} is not ready: ${why}`));
    };
    const onReady = (): void => {
      finish();
      resolve();
    };
    const onError = (error: Error): void => {
      last = error;
      if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(error.message)) fail(); // waiting does not mend it
    };
    const timer = setTimeout(fail, timeoutMs);
    redis.on('ready', onReady).on('error', onError);
  });
  return redis;
}
