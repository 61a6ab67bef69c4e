import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { EntryReader, StreamEntry } from './entry-stream.js';

/** Field names and values of an entry about to be added. */
export type EntryFields = readonly (readonly [name: string, value: string | Buffer])[];

interface Script {
  readonly text: string;
  readonly sha: string;
}
const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') });

// The byte count stands beside the stream and changes in the same script, so both are lost or restored together. An empty
// stream counts as 0 whatever is written there: a stream that somebody deleted by hand must not stay full for ever.
const APPEND = script(`
local used, limit, taken, at = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[1]), 0, 2
if redis.call('XLEN', KEYS[1]) == 0 then used = 0 end
while at <= #ARGV do
  local n, size, args = tonumber(ARGV[at]), 0, {}
  for i = 1, n do args[i] = ARGV[at + i]; size = size + #args[i] end
  if used + size > limit then break end
  redis.call('XADD', KEYS[1], '*', unpack(args))
  used, taken, at = used + size, taken + 1, at + n + 1
end
if taken > 0 then redis.call('SET', KEYS[2], string.format('%.0f', used)) end
return taken`);

const REMOVE = script(`
local freed = 0
for i = 2, #ARGV, 2 do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then freed = freed + tonumber(ARGV[i + 1]) end
end
local left = math.max(0, tonumber(redis.call('GET', KEYS[2]) or '0') - freed)
if redis.call('XLEN', KEYS[1]) == 0 then left = 0 end
redis.call('SET', KEYS[2], string.format('%.0f', left))
return freed`);

async function run(redis: Redis, { text, sha }: Script, keys: string[], args: (string | Buffer)[]): Promise<unknown> {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return redis.eval(text, keys.length, ...keys, ...args);
  }
}

/** Keys that belong to a stream share its hash slot: `{name}` hashes like `name`, and a name with a tag keeps its own. */
const besideOf = (stream: string): string => (stream.includes('{') ? stream : `{${stream}}`);
const bytesKey = (stream: string): string => `${besideOf(stream)}:bytes`;
/** Where a stream's unreadable entries are kept. */
export const deadLetterKey = (stream: string): string => `${besideOf(stream)}:dead`;

/**
 * Adds entries to a stream as long as all it holds stays within `maxBytes`; one command, applied whole or not at all.
 * Answers how many, from the first on, were taken: fewer than given means the stream is full. When the answer is lost the
 * entries may be there all the same: whoever sends them again relies on their content being idempotent.
 */
export async function appendEntries(
  redis: Redis,
  stream: string,
  maxBytes: number,
  entries: readonly EntryFields[],
): Promise<number> {
  const args: (string | Buffer)[] = [String(maxBytes)];
  for (const fields of entries) {
    args.push(String(fields.length * 2));
    for (const [name, value] of fields) args.push(name, value);
  }
  return Number(await run(redis, APPEND, [stream, bytesKey(stream)], args));
}

/** Where and how a {@link RedisEntryReader} reads. */
export interface EntryReaderOptions {
  /** A connection of its own (`blocking`): reading waits on it. */
  readonly blocking: Redis;
  /** For everything else (`background`). */
  readonly redis: Redis;
  readonly stream: string;
  readonly group: string;
  /** Name of this reader within the group; the host's name is a good one. */
  readonly consumer: string;
  /** Entries per read; bounds what the process holds. */
  readonly count: number;
  /** How long one read waits for entries; default 250, at most 5000. */
  readonly waitMs?: number;
  /** Entries delivered this long ago and still not done belong to a dead reader; default 10000. */
  readonly deadAfterMs?: number;
}

const CLAIM_EVERY_MS = 1000;
const FORGET_CONSUMER_AFTER_MS = 24 * 3_600_000;
/** Bounds of the dead-letter stream: the newest 1,000, each cut at 64 KiB. */
const DEAD_LETTERS = 1000;
const DEAD_LETTER_BYTES = 64 * 1024;

/**
 * Reads a stream as a member of a consumer group. The group is made when it is missing, also in a Redis that was emptied.
 * A reader that only was slow may meet entries a second time; so may one that shares its name with another.
 */
export class RedisEntryReader implements EntryReader {
  readonly #options: Required<EntryReaderOptions>;
  #hasGroup = false;
  #claimFrom = '0-0';
  #claimAt = 0;

  constructor(options: EntryReaderOptions) {
    this.#options = { waitMs: 250, deadAfterMs: 10_000, ...options };
  }

  async next(): Promise<readonly StreamEntry[]> {
    try {
      if (!this.#hasGroup) await this.#makeGroup();
      const left = await this.#claim();
      return left.length > 0 ? left : await this.#read();
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOGROUP')) {
        this.#hasGroup = false;
        return [];
      }
      throw error;
    }
  }

  async done(entries: readonly StreamEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const { redis, stream, group } = this.#options;
    const pairs = entries.flatMap((entry) => [entry.id, String(entry.bytes)]);
    await run(redis, REMOVE, [stream, bytesKey(stream)], [group, ...pairs]);
  }

  async bury(payload: Buffer, reason: string): Promise<void> {
    const { redis, stream } = this.#options;
    const kept = payload.subarray(0, DEAD_LETTER_BYTES);
    const fields = ['reason', reason, 'bytes', payload.length, 'payload', kept];
    await redis.xadd(deadLetterKey(stream), 'MAXLEN', '~', DEAD_LETTERS, '*', ...fields);
  }

  async #makeGroup(): Promise<void> {
    const { redis, stream, group } = this.#options;
    try {
      await redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
      await this.#forgetConsumers();
    }
    this.#hasGroup = true;
  }

  /** Removes readers that owe nothing and were not seen for a day; a living one is seen at every read. */
  async #forgetConsumers(): Promise<void> {
    const { redis, stream, group } = this.#options;
    for (const row of (await redis.xinfo('CONSUMERS', stream, group)) as (string | number)[][]) {
      const [name, pending, idle] = ['name', 'pending', 'idle'].map((field) => row[row.indexOf(field) + 1]);
      if (Number(pending) === 0 && Number(idle) > FORGET_CONSUMER_AFTER_MS) {
        await redis.xgroup('DELCONSUMER', stream, group, String(name));
      }
    }
  }

  async #claim(): Promise<StreamEntry[]> {
    const { redis, stream, group, consumer, deadAfterMs, count } = this.#options;
    if (this.#claimFrom === '0-0' && performance.now() < this.#claimAt) return [];
    this.#claimAt = performance.now() + Math.min(CLAIM_EVERY_MS, deadAfterMs);
    const command = [stream, group, consumer, deadAfterMs, this.#claimFrom, 'COUNT', count] as const;
    const answer = (await redis.callBuffer('XAUTOCLAIM', ...command)) as [Buffer, RawEntry[]];
    this.#claimFrom = answer[0].toString();
    return decodeEntries(answer[1]);
  }

  async #read(): Promise<StreamEntry[]> {
    const { blocking, stream, group, consumer, waitMs, count } = this.#options;
    const from = ['GROUP', group, consumer, 'COUNT', count, 'BLOCK', waitMs, 'STREAMS', stream, '>'] as const;
    // The typed command, not `callBuffer`: only it gives the same shape under RESP2 and RESP3 (a map there).
    const answer = (await blocking.xreadgroupBuffer(...from)) as [Buffer, RawEntry[]][] | null;
    return decodeEntries(answer?.[0]?.[1] ?? []);
  }
}

/** `null` where an entry of the pending list has left the stream meanwhile (Redis 6.2). */
type RawEntry = [id: Buffer, fields: Buffer[]] | null;

function decodeEntries(raw: readonly RawEntry[]): StreamEntry[] {
  const entries: StreamEntry[] = [];
  for (const entry of raw) {
    if (entry === null) continue;
    const [id, flat] = entry;
    const fields = new Map<string, Buffer>();
    let bytes = 0;
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const [name, value] = [flat[i] as Buffer, flat[i + 1] as Buffer];
      fields.set(name.toString(), value);
      bytes += name.length + value.length;
    }
    entries.push({ id: id.toString(), fields, bytes });
  }
  return entries;
}
