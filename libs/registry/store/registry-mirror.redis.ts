import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  documentPath,
  parseDocumentPath,
  type RegistryDelta,
  type RegistryDocument,
  type RegistryHead,
} from '../document.js';
import { PRESENCE_MS, type RegistryMirror } from './registry-mirror.js';

/** Pub/sub channel on which each new version is told. A hint only: a message may be lost. */
export const REGISTRY_CHANNEL = 'sf:registry:changed';

// One hash tag, so that all keys of a script lie in one slot of a Redis Cluster. No TTL: an evicted registry helps nobody.
const HEAD = 'sf:{registry}:head'; // hash: lineage, version, floor, count
const DOCS = 'sf:{registry}:docs'; // hash: path → document as JSON
const INDEX = 'sf:{registry}:index'; // sorted set: path scored by version, deleted ones included
const REPLICAS = 'sf:replicas'; // hash: instance → "version time"
const STAGING_TTL_S = 600;
const CHUNK = 500;
/** More changes than this are read as a whole instead. */
const MAX_DELTA = 2_000;

// → {lineage, version}, or nothing when there is no copy or it lost documents (evicted or deleted from outside).
const HEAD_OF = `
local head = redis.call('HMGET', KEYS[1], 'lineage', 'version', 'count')
if not head[1] or tostring(redis.call('HLEN', KEYS[2])) ~= head[3] then return {} end
return {head[1], head[2]}`;

// → {lineage, version, mode, path, json|'', …}. `floor` is the version of the last full refill: older replicas cannot
// know what vanished before it.
const READ = `
local head = redis.call('HMGET', KEYS[1], 'lineage', 'version', 'floor', 'count')
if not head[1] or tostring(redis.call('HLEN', KEYS[2])) ~= head[4] then return {} end
local from = tonumber(ARGV[2])
if head[1] ~= ARGV[1] or from < tonumber(head[3]) or from > tonumber(head[2]) then return {head[1], head[2], 'full'} end
local paths = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3] + 1)
if #paths > tonumber(ARGV[3]) then return {head[1], head[2], 'full'} end
local out = {head[1], head[2], 'delta'}
for _, path in ipairs(paths) do
  out[#out + 1] = path
  out[#out + 1] = redis.call('HGET', KEYS[2], path) or ''
end
return out`;

// Compare and set: only from exactly the head that was seen ('' = none).
const ADVANCE = `
local head = redis.call('HMGET', KEYS[1], 'lineage', 'version')
if (head[1] or '') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return 0 end
for i = 5, #ARGV, 3 do
  redis.call('ZADD', KEYS[3], ARGV[i], ARGV[i + 1])
  if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[2], ARGV[i + 1])
  else redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 2]) end
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'count', redis.call('HLEN', KEYS[2]))
redis.call('PUBLISH', ARGV[4], ARGV[3])
return 1`;

// The same for a whole copy; a damaged one counts as none, as in HEAD_OF.
const SWAP = `
local head = redis.call('HMGET', KEYS[1], 'lineage', 'version', 'count')
if tostring(redis.call('HLEN', KEYS[2])) ~= head[3] then head = {} end
if (head[1] or '') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return 0 end
for i = 2, 3 do
  redis.call('DEL', KEYS[i])
  if redis.call('EXISTS', KEYS[i + 2]) == 1 then
    redis.call('RENAME', KEYS[i + 2], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
redis.call('HSET', KEYS[1], 'lineage', ARGV[3], 'version', ARGV[4], 'floor', ARGV[4], 'count', redis.call('HLEN', KEYS[2]))
redis.call('PUBLISH', ARGV[5], ARGV[4])
return 1`;

const ANNOUNCE = `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', ms))
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen = tonumber(string.match(all[i + 1], ' (%d+)$')) or 0
  if ms - seen > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
return 1`;

const PRESENT = `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local out = {}
for i = 1, #all, 2 do
  local version, seen = string.match(all[i + 1], '^(-?%d+) (%d+)$')
  if seen and ms - tonumber(seen) <= tonumber(ARGV[1]) then out[#out + 1] = all[i]; out[#out + 1] = version end
end
return out`;

/** The registry's copy in Redis. `redis` should time commands out after a second or so (purpose `background`). */
export class RedisRegistryMirror implements RegistryMirror {
  constructor(private readonly redis: Redis) {}

  async head(): Promise<RegistryHead | null> {
    const [lineage, version] = (await this.redis.eval(HEAD_OF, 2, HEAD, DOCS)) as string[];
    return lineage !== undefined && version !== undefined ? { lineage, version: Number(version) } : null;
  }

  async read(from: RegistryHead): Promise<RegistryDelta> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const first = await this.readDelta(from);
      if (first !== 'full') return first;
      const all = await this.readAll();
      if (all === null) break;
      // The scan is not one moment: what changed during it is read again, from the version at which it began.
      const rest = await this.readDelta(all.head);
      if (rest === 'full') continue; // refilled under our hands
      return { head: rest.head, full: true, documents: [...all.documents, ...rest.documents], removed: rest.removed };
    }
    throw new Error('the registry copy in Redis could not be read in one piece');
  }

  async advance(seen: RegistryHead | null, delta: RegistryDelta): Promise<boolean> {
    const size = delta.documents.length + delta.removed.length;
    if (delta.full) return this.refill(seen, delta);
    if (size > MAX_DELTA || seen === null) throw new Error('too much for a partial update of the registry copy');
    const args: string[] = [];
    for (const document of delta.documents) {
      args.push(String(document.version), documentPath(document), JSON.stringify(document));
    }
    for (const ref of delta.removed) args.push(String(delta.head.version), documentPath(ref), '');
    const done = await this.redis.eval(
      ADVANCE,
      3,
      HEAD,
      DOCS,
      INDEX,
      seen.lineage,
      String(seen.version),
      String(delta.head.version),
      REGISTRY_CHANNEL,
      ...args,
    );
    return done === 1;
  }

  async announce(instanceId: string, version: number): Promise<void> {
    await this.redis.eval(ANNOUNCE, 1, REPLICAS, instanceId, String(version), String(PRESENCE_MS * 2));
  }

  async leave(instanceId: string): Promise<void> {
    await this.redis.hdel(REPLICAS, instanceId);
  }

  async replicas(): Promise<ReadonlyMap<string, number>> {
    const flat = (await this.redis.eval(PRESENT, 1, REPLICAS, String(PRESENCE_MS))) as string[];
    const found = new Map<string, number>();
    for (let i = 0; i + 1 < flat.length; i += 2) found.set(flat[i] as string, Number(flat[i + 1]));
    return found;
  }

  private async readDelta(from: RegistryHead): Promise<RegistryDelta | 'full'> {
    const reply = (await this.redis.eval(
      READ,
      3,
      HEAD,
      DOCS,
      INDEX,
      from.lineage,
      String(from.version),
      String(MAX_DELTA),
    )) as string[];
    const [lineage, version, mode] = reply;
    if (lineage === undefined || version === undefined) throw new Error('the registry copy in Redis is empty');
    if (mode === 'full') return 'full';
    const documents: RegistryDocument[] = [];
    const removed = [];
    for (let i = 3; i + 1 < reply.length; i += 2) {
      const json = reply[i + 1] as string;
      if (json === '') removed.push(parseDocumentPath(reply[i] as string));
      else documents.push(JSON.parse(json) as RegistryDocument);
    }
    return { head: { lineage, version: Number(version) }, full: false, documents, removed };
  }

  private async readAll(): Promise<{ head: RegistryHead; documents: RegistryDocument[] } | null> {
    const head = await this.head();
    if (head === null) return null;
    const byPath = new Map<string, RegistryDocument>();
    let cursor = '0';
    do {
      const [next, flat] = await this.redis.hscan(DOCS, cursor, 'COUNT', CHUNK);
      for (let i = 0; i + 1 < flat.length; i += 2) {
        byPath.set(flat[i] as string, JSON.parse(flat[i + 1] as string) as RegistryDocument);
      }
      cursor = next;
    } while (cursor !== '0');
    return { head, documents: [...byPath.values()] };
  }

  /** Fills staging keys in chunks, then puts them in place in one step. Abandoned staging keys expire by themselves. */
  private async refill(seen: RegistryHead | null, delta: RegistryDelta): Promise<boolean> {
    const stagedDocs = `sf:{registry}:staging:${randomUUID()}:docs`;
    const stagedIndex = stagedDocs.replace(/docs$/, 'index');
    for (let start = 0; start < delta.documents.length; start += CHUNK) {
      const chunk = delta.documents.slice(start, start + CHUNK);
      const write = this.redis.pipeline();
      write.hset(stagedDocs, ...chunk.flatMap((document) => [documentPath(document), JSON.stringify(document)]));
      write.zadd(stagedIndex, ...chunk.flatMap((document) => [document.version, documentPath(document)]));
      write.expire(stagedDocs, STAGING_TTL_S).expire(stagedIndex, STAGING_TTL_S);
      for (const [error] of (await write.exec()) ?? []) if (error !== null) throw error;
    }
    const done = await this.redis.eval(
      SWAP,
      5,
      HEAD,
      DOCS,
      INDEX,
      stagedDocs,
      stagedIndex,
      seen?.lineage ?? '',
      seen === null ? '' : String(seen.version),
      delta.head.lineage,
      String(delta.head.version),
      REGISTRY_CHANNEL,
    );
    return done === 1;
  }
}
