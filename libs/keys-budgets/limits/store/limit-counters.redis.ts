import type { Redis } from 'ioredis';
import {
  SILENT_MS,
  WINDOW_S,
  type LimitAnswer,
  type LimitAsk,
  type LimitCounters,
  type LimitMessage,
  type LimitReply,
  type RateAsk,
} from '../limit-counters.js';

/** Counters of a scope that nobody uses are gone after this; longer than a window. */
const RATE_TTL_MS = 130_000;
/** Slots that nobody speaks of; processes repeat what they hold more often than that. */
const SLOT_TTL_MS = 1_800_000;
const PROCESS_TTL_MS = 86_400_000;

// KEYS 1 hash: process → "store time ms, seq"; '#' → epoch; then two keys per scope: rates, slots
// ARGV 1 process  2 seq  3 silentMs  4 window s  5 rate TTL  6 slot TTL  7 process TTL  8 epoch if there is none  9 scopes
//      per scope: limit, need, want of requests; the same of tokens; limit, hold, need, want of slots; number of fixes;
//      per fix: 'r' or 't', second, units. A limit of 0: nothing to be said.
// Rates: hash with a field per second ('r' or 't' and the second) and their sum ('rn', 'tn') and oldest second ('ro', 'to').
// Slots: hash process → slots it may use. Numbers go to call() as numbers: whole ones below 2^53 are written exactly.
const SCRIPT = `
local K, A, call = KEYS, ARGV, redis.call
local t = call('TIME')
local sec = tonumber(t[1])
local ms = sec * 1000 + math.floor(t[2] / 1000)
local pid, seq, silent, window = A[1], tonumber(A[2]), tonumber(A[3]), tonumber(A[4])
local alive, replicas, joined, epoch = { [pid] = true }, 1, 1, false
local all = call('HGETALL', K[1])
for i = 1, #all, 2 do
  local name, value = all[i], all[i + 1]
  if name == '#' then epoch = value
  else
    local at, last = string.match(value, '^(%d+) (%d+)$')
    local lives = at and ms - at <= silent
    if name == pid then
      if last and tonumber(last) >= seq then return {'OLD'} end
      if lives then joined = 0 end
    elseif lives then alive[name] = true; replicas = replicas + 1
    else call('HDEL', K[1], name) end
  end
end
if not epoch then epoch = A[8]; call('HSET', K[1], '#', epoch) end
call('HSET', K[1], pid, string.format('%.0f %.0f', ms, seq))
call('PEXPIRE', K[1], A[7])
-- What one process may hold unused: a share of what is left, less the more there are.
local part = replicas == 1 and 2 or 8 * replicas
local first = sec - window + 1

local function open(key, p)
  local v = call('HMGET', key, p .. 'n', p .. 'o')
  local n, o = tonumber(v[1]) or 0, tonumber(v[2]) or sec
  if o > sec + 5 then call('DEL', key); return 0, sec end -- the store's clock went back: begin again
  if o > sec then o = sec end
  if o < first then -- forget the seconds that have left the window
    local names = {}
    for s = o, math.min(first - 1, o + window - 1) do names[#names + 1] = p .. s end
    for _, value in ipairs(call('HMGET', key, unpack(names))) do n = n - (tonumber(value) or 0) end
    call('HDEL', key, unpack(names))
    if first - o >= window then n = 0 end
    o = first
  end
  return n, o
end

local function fix(key, p, n, second, units)
  if second < first then
    if units < 0 then return n end
    second = sec
  end
  if units < 0 then units = math.max(units, -(tonumber(call('HGET', key, p .. second)) or 0)) end
  if units == 0 then return n end
  call('HINCRBY', key, p .. second, units)
  return n + units
end

local function wait(key, p, o, units)
  local names = {}
  for s = o, sec do names[#names + 1] = p .. s end
  local sum = 0
  for i, value in ipairs(call('HMGET', key, unpack(names))) do
    sum = sum + (tonumber(value) or 0)
    if sum >= units then return math.max(1, (o + i - 1 + window) * 1000 - ms) end
  end
  return window * 1000
end

local function rate(key, p, limit, need, want, fixes)
  local n, o = open(key, p)
  for _, f in ipairs(fixes) do n = fix(key, p, n, f[1], f[2]) end
  local left = math.max(0, limit - n)
  local granted, waits = math.min(need, left), 0
  left = left - granted
  local more = math.min(want, math.floor(left / part))
  if granted + more > 0 then
    call('HINCRBY', key, p .. sec, granted + more)
    n, left = n + granted + more, left - more
  end
  call('HSET', key, p .. 'n', n, p .. 'o', o)
  call('PEXPIRE', key, A[5])
  if granted < need then waits = wait(key, p, o, n - limit + (p == 'r' and 1 or math.min(need - granted, limit))) end
  return granted + more, left, waits
end

local function slots(key, limit, hold, need, want)
  local others = 0
  local held = call('HGETALL', key)
  for i = 1, #held, 2 do
    if alive[held[i]] then
      if held[i] ~= pid then others = others + tonumber(held[i + 1]) end
    else call('HDEL', key, held[i]) end
  end
  local free = math.max(0, limit - others - hold)
  local granted = math.min(need, free)
  free = free - granted
  local more = math.min(want, math.floor(free / part))
  local ceiling = hold + granted + more
  if ceiling == 0 then call('HDEL', key, pid)
  else call('HSET', key, pid, ceiling); call('PEXPIRE', key, A[6]) end
  return ceiling, free - more
end

local out, p, k = {'OK', ms, replicas, joined, epoch}, 10, 2
for _ = 1, tonumber(A[9]) do
  local v = {}
  for i = 0, 10 do v[i + 1] = tonumber(A[p + i]) end
  p = p + 11
  local fixes = { r = {}, t = {} }
  for _ = 1, v[11] do
    local list = fixes[A[p]]
    list[#list + 1] = { tonumber(A[p + 1]), tonumber(A[p + 2]) }
    p = p + 3
  end
  local r1, r2, r3, t1, t2, t3, s1, s2 = 0, 0, 0, 0, 0, 0, 0, 0
  if v[1] > 0 then r1, r2, r3 = rate(K[k], 'r', v[1], v[2], v[3], fixes.r) end
  if v[4] > 0 then t1, t2, t3 = rate(K[k], 't', v[4], v[5], v[6], fixes.t) end
  if v[7] > 0 then s1, s2 = slots(K[k + 1], v[7], v[8], v[9], v[10]) end
  for _, value in ipairs({ r1, r2, r3, t1, t2, t3, s1, s2 }) do out[#out + 1] = value end
  k = k + 2
end
return out`;

const HEAD = 5;
const PER_SCOPE = 8;

interface Script {
  limits(keyCount: number, ...args: (string | number)[]): Promise<(string | number)[]>;
}

/** The rate limits' counters in Redis or Valkey. The connection (purpose `commands`) belongs to the caller. */
export class RedisLimitCounters implements LimitCounters {
  readonly #redis: Redis & Script;
  readonly #windowS: number;

  /** @param windowS seconds that are added up; shorter only in tests */
  constructor(redis: Redis, windowS = WINDOW_S) {
    redis.defineCommand('limits', { lua: SCRIPT });
    this.#redis = redis as Redis & Script;
    this.#windowS = windowS;
  }

  async run({ orgId, processId, seq, asks }: LimitMessage): Promise<LimitReply> {
    const base = `sf:{${orgId}}:limits`;
    const keys = [base, ...asks.flatMap(({ scopeId }) => [`${base}:r:${scopeId}`, `${base}:s:${scopeId}`])];
    const epoch = `${processId}.${seq}`;
    const head = [
      processId,
      seq,
      SILENT_MS,
      this.#windowS,
      RATE_TTL_MS,
      SLOT_TTL_MS,
      PROCESS_TTL_MS,
      epoch,
      asks.length,
    ];
    const values = await this.#redis.limits(keys.length, ...keys, ...head, ...asks.flatMap(argsOf));
    if (values[0] !== 'OK') throw new Error('a later message of this process was there before');
    return {
      nowMs: values[1] as number,
      replicas: values[2] as number,
      joined: values[3] === 1,
      epoch: String(values[4]),
      answers: asks.map((ask, index) => answerOf(ask, values as number[], HEAD + index * PER_SCOPE)),
    };
  }
}

function argsOf({ requests, tokens, slots }: LimitAsk): (string | number)[] {
  const fixes = [
    ...(requests?.fixes.flatMap(([second, units]) => ['r', second, units]) ?? []),
    ...(tokens?.fixes.flatMap(([second, units]) => ['t', second, units]) ?? []),
  ];
  return [
    ...rateArgs(requests),
    ...rateArgs(tokens),
    ...(slots === null ? [0, 0, 0, 0] : [slots.limit, slots.hold, slots.need, slots.want]),
    fixes.length / 3,
    ...fixes,
  ];
}

function rateArgs(ask: RateAsk | null): number[] {
  return ask === null ? [0, 0, 0] : [ask.limit, ask.need, ask.want];
}

function answerOf(ask: LimitAsk, values: readonly number[], at: number): LimitAnswer {
  const rateAt = (from: number) => ({
    granted: values[from] as number,
    left: values[from + 1] as number,
    waitMs: values[from + 2] as number,
  });
  return {
    requests: ask.requests === null ? null : rateAt(at),
    tokens: ask.tokens === null ? null : rateAt(at + 3),
    slots: ask.slots === null ? null : { ceiling: values[at + 6] as number, free: values[at + 7] as number },
  };
}
