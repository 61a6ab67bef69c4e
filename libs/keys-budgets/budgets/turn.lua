-- One call per event-loop turn of one process and organisation: renew its lease, move its ceilings, decide the requests
-- that wait, all budgets of a request or none. Every value is absolute and guarded by a sequence number: sent twice, late
-- or with its answer lost, it does no harm.
-- KEYS 1 head  2 totals  3 ceilings of the process (names: libs/stores/budget-keys.ts)
-- ARGV 1 gen  2 seq  3 ttlMs  4 share  5 nBudgets  6 nRequests
--      per budget: field, limit, mode (0 strict, 1 clamp, 2 soft), base (used + held), slack wanted
--      per request: min, want, n, index of each of its n budgets
-- Answer {'OK', store time ms, open, {ceiling, total, …}, {granted or -(index of the short budget), …}}, or
--      {'GEN'} other server life, {'OUT'} this process was closed or never joined, {'OLD'} a later message was here before
local K, A, call = KEYS, ARGV, redis.call
local info = call('INFO', 'server')
local at = string.find(info, 'run_id:', 1, true)
local run = string.sub(info, at + 7, at + 46)
local g = call('HMGET', K[1], 'run', 'gen', 'open')
if g[1] ~= run or g[2] ~= A[1] then return {'GEN'} end -- restarted, restored, failed over: the counters may be old
local nB, nR, share, open = tonumber(A[5]), tonumber(A[6]), tonumber(A[4]), g[3] == '1'
local f, p = {'#'}, 7
for i = 1, nB do f[i + 1] = A[p + (i - 1) * 5] end
local c, t = call('HMGET', K[3], unpack(f)), call('HMGET', K[2], unpack(f))
if not t[1] then return {'GEN'} end -- totals evicted or flushed
if not c[1] then return {'OUT'} end
if tonumber(A[2]) <= tonumber(c[1]) then return {'OLD'} end
local C, C0, T, T0, L, B, S, V, G, clamped = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
for i = 1, nB do
  local c0, t0, limit, base = tonumber(c[i + 1] or 0), tonumber(t[i + 1] or 0), tonumber(A[p + 1]), tonumber(A[p + 3])
  C0[i], T0[i] = c0, t0
  if base > c0 then t0 = t0 + base - c0; c0 = base end -- cost beyond its estimate: the truth wins, even over the limit
  if A[p + 2] == '2' then limit = 9007199254740991 elseif A[p + 2] == '1' then clamped[i] = true end
  C[i], T[i], L[i], B[i], S[i], G[i] = c0, t0, limit, base, tonumber(A[p + 4]), 0
  V[i] = c0 - base -- what this process can still give out: its own slack and what is free
  if open and limit > t0 then V[i] = V[i] + limit - t0 end
  p = p + 5
end
local grants, recalled, I = {}, {}, {}
for r = 1, nR do
  local min, want, n = tonumber(A[p]), tonumber(A[p + 1]), tonumber(A[p + 2])
  local got, short = want, 0
  for k = 1, n do
    local i = tonumber(A[p + 2 + k])
    I[k] = i
    if clamped[i] and V[i] * share < want then
      if V[i] >= min then got = math.min(got, math.max(min, math.floor(V[i] * share))) elseif short == 0 then short = i end
    end
  end
  for k = 1, n do if short == 0 and V[I[k]] < got then short = I[k] end end
  if short == 0 then -- all or none
    for k = 1, n do local i = I[k]; V[i] = V[i] - got; G[i] = G[i] + got end
    grants[r] = got
  else
    grants[r] = -short
    if open and not recalled[short] then recalled[short] = true; call('PUBLISH', K[1] .. ':recall', f[short + 1]) end
  end
  p = p + 3 + n
end
-- I1: a ceiling rises only by what is free below the limit (or by what was spent already), and its total by the same.
-- Numbers go to call() as numbers: it writes whole ones below 2^53 exactly (tostring would not).
local hc, ht, out = {'#', A[2]}, {}, {}
for i = 1, nB do
  local base = B[i] + G[i]
  if base > C[i] then T[i] = T[i] + base - C[i]; C[i] = base end
  local goal = base + S[i]
  if goal < C[i] then T[i] = T[i] - C[i] + goal; C[i] = goal
  elseif goal > C[i] and open and L[i] > T[i] then -- a slice is at most 1/16 of what is free, and never a crumb
    local add = math.min(goal - C[i], math.floor((L[i] - T[i]) / 16))
    if add * 4 >= goal - C[i] then C[i] = C[i] + add; T[i] = T[i] + add end
  end
  if C[i] ~= C0[i] then hc[#hc + 1] = f[i + 1]; hc[#hc + 1] = C[i] end
  if T[i] ~= T0[i] then ht[#ht + 1] = f[i + 1]; ht[#ht + 1] = T[i] end
  out[2 * i - 1], out[2 * i] = C[i], T[i]
end
local now = call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
hc[#hc + 1] = '@'; hc[#hc + 1] = now + A[3]
call('HSET', K[3], unpack(hc))
if #ht > 0 then call('HSET', K[2], unpack(ht)) end
return {'OK', now, open and 1 or 0, out, grants}
