import type { Redis } from 'ioredis';
import { FAILURE_CLASSES, type FailureClass } from '#libs/platform/config.js';
import type { HealthShare, SharedChange, SharedOpening } from '../health-share.js';

// Hash: target → "until reason", `until` in ms of the store's clock, so that clocks of gateways need not agree.
const OPEN = 'sf:{routing}:open';
const CHANNEL = 'sf:routing:health';
/** The hash goes when nothing was told for so long: no cool-down is longer than 5 minutes. */
const KEEP_S = 900;
const MOST_TARGETS = 4096;
/** Beyond so many openings those of names that callers chose are told, and not kept: they never push out those of chains. */
const MOST_BESIDE_NAMED = 1024;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

// ARGV: target, cool-down in ms ('' = closed), reason, keep, most, channel, message
const TELL = `${NOW}
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
elseif redis.call('HLEN', KEYS[1]) < tonumber(ARGV[5]) or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2]) .. ' ' .. ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1`;

// → target, rest in ms, reason, …; what is over is taken out
const OPENINGS = `${NOW}
local all = redis.call('HGETALL', KEYS[1])
local out = {}
for i = 1, #all, 2 do
  local till, reason = string.match(all[i + 1], '^(%d+) ([a-z_]+)$')
  if till and tonumber(till) > now then
    out[#out + 1] = all[i]
    out[#out + 1] = string.format('%.0f', tonumber(till) - now)
    out[#out + 1] = reason
  else redis.call('HDEL', KEYS[1], all[i]) end
end
return out`;

/**
 * Breakers shared through Redis. `redis` should time commands out after seconds (purpose `background`): no call waits for it.
 * `subscriber` is a connection of its own and subscribes anew after each reconnect.
 */
export class RedisHealthShare implements HealthShare {
  constructor(
    private readonly redis: Redis,
    private readonly subscriber: Redis,
    /** Tells this process's own messages from those of others. */
    private readonly processId: string,
  ) {}

  async tell(change: SharedChange, isNamed = false): Promise<void> {
    const { target, reason, coolMs } = change;
    const message = JSON.stringify({ from: this.processId, target, reason, coolMs });
    await this.redis.eval(
      TELL,
      1,
      OPEN,
      target,
      coolMs === null ? '' : String(Math.ceil(coolMs)),
      reason ?? '',
      String(KEEP_S),
      String(isNamed ? MOST_BESIDE_NAMED : MOST_TARGETS),
      CHANNEL,
      message,
    );
  }

  async openings(): Promise<readonly SharedOpening[]> {
    const flat = (await this.redis.eval(OPENINGS, 1, OPEN)) as string[];
    const found: SharedOpening[] = [];
    for (let i = 0; i + 2 < flat.length; i += 3) {
      const reason = flat[i + 2];
      if (isClass(reason)) found.push({ target: flat[i] as string, coolMs: Number(flat[i + 1]), reason });
    }
    return found;
  }

  listen(onChange: (change: SharedChange) => void): () => void {
    const subscribe = (): void => void this.subscriber.subscribe(CHANNEL).catch(() => {});
    const onMessage = (channel: string, message: string): void => {
      const change = channel === CHANNEL ? this.#parse(message) : null;
      if (change !== null) onChange(change);
    };
    this.subscriber.on('ready', subscribe).on('message', onMessage);
    if (this.subscriber.status === 'ready') subscribe();
    return () => void this.subscriber.off('ready', subscribe).off('message', onMessage);
  }

  /** `null` for a message of this process, and for one that is none of ours. */
  #parse(message: string): SharedChange | null {
    try {
      const { from, target, reason, coolMs } = JSON.parse(message) as Record<string, unknown>;
      if (from === this.processId || typeof target !== 'string') return null;
      if (coolMs === null) return { target, reason: null, coolMs: null };
      return typeof coolMs === 'number' && coolMs > 0 && isClass(reason) ? { target, reason, coolMs } : null;
    } catch {
      return null;
    }
  }
}

function isClass(value: unknown): value is FailureClass {
  return (FAILURE_CLASSES as readonly unknown[]).includes(value);
}
