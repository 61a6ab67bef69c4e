// The continuous check inside Redis: I1 Σ ceilings + closed = total ≤ limit, atomically.
import type { Redis } from 'ioredis';
import { budgetKeys } from '#libs/stores/index.js';
import { nameOf } from './settings.js';

const INSIDE = `
local g = redis.call('HMGET', KEYS[1], 'gen', 'open')
if g[2] ~= '1' then return {} end
local sum, out, base = {}, {}, KEYS[1] .. ':' .. g[1]
for _, k in ipairs(redis.call('KEYS', base .. ':p:*')) do
  local h = redis.call('HGETALL', k)
  for i = 1, #h, 2 do if h[i] ~= '#' and h[i] ~= '@' then sum[h[i]] = (sum[h[i]] or 0) + tonumber(h[i + 1]) end end
end
local t = redis.call('HGETALL', base .. ':totals')
for i = 1, #t, 2 do
  if t[i] ~= '#' then out[#out + 1] = t[i] out[#out + 1] = t[i + 1] out[#out + 1] = string.format('%.0f', sum[t[i]] or 0) end
end
return out`;

/** `org field` → total of every open organisation; `null` when Redis cannot be asked or an organisation is not open. */
export async function checkCounters(
  redis: Redis,
  orgIds: readonly string[],
  limitOf: (name: string) => number,
  bad: (what: string, details: object) => void,
): Promise<Map<string, number> | null> {
  const seen = new Map<string, number>();
  let isComplete = true;
  for (const orgId of orgIds) {
    const flat = (await redis.eval(INSIDE, 1, budgetKeys(orgId).head).catch(() => null)) as string[] | null;
    if (flat === null) return null;
    if (flat.length === 0) isComplete = false;
    for (let i = 0; i < flat.length; i += 3) {
      const name = nameOf(orgId, flat[i] as string);
      const [total, sum] = [Number(flat[i + 1]), Number(flat[i + 2])];
      seen.set(name, total);
      if (total !== sum) bad('total is not the sum of ceilings', { name, total, sum });
      if (total > limitOf(name)) bad('total in Redis above the limit', { name, total, limit: limitOf(name) });
    }
  }
  return isComplete ? seen : null;
}
