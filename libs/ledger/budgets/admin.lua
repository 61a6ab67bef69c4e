-- Rare operations on the counters of one organisation, each made under the ledger's lock and carrying its fence number.
-- I5: an older holder of the lock is refused, however late it writes.
-- KEYS 1 head  2 totals  3 ceilings of the process  4 closed  5 joined  6… (sweep) ceilings of all processes
-- ARGV 1 operation  2 fence  3 gen  4 process  5… the operation's own
local K, A, call = KEYS, ARGV, redis.call
local run = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local h = call('HMGET', K[1], 'run', 'gen', 'open', 'fence', 'at', 'swept')
local op = A[1]
if h[4] and tonumber(h[4]) > tonumber(A[2]) then return {'FENCED'} end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function int(n) return string.format('%.0f', n) end
if op == 'fence' then -- raised here before anything is read, so that a paused holder can no longer write
  call('HSET', K[1], 'fence', A[2])
  return {'OK', run, h[1] or '', h[2] or '', h[3] or '0', h[5] or '0', int(now), h[6] or '0'}
end
if op == 'start' then -- a new generation: empty totals, closed for raises until everyone alive has joined
  if run ~= A[5] then return {'GEN'} end
  call('HSET', K[1], 'run', run, 'gen', A[3], 'open', '0', 'at', int(now))
  call('HSET', K[2], '#', '1')
  return {'OK'}
end
if h[1] ~= run or h[2] ~= A[3] then return {'GEN'} end
local function move(hash, field, to) -- absolute, so repeating it changes nothing; I1: the total moves by the same
  local d = to - tonumber(call('HGET', hash, field) or 0)
  if d ~= 0 then
    call('HSET', hash, field, int(to))
    call('HSET', K[2], field, int(tonumber(call('HGET', K[2], field) or 0) + d))
  end
end
if op == 'join' then -- ARGV 5 seq (in the last part), 6 ttlMs, then field, ceiling…: what it holds counts, whatever the limit
  for i = 7, #A, 2 do move(K[3], A[i], tonumber(A[i + 1])) end
  if A[5] ~= '' then
    call('HSET', K[3], '#', A[5], '@', int(now + A[6]))
    call('SADD', K[5], A[4])
  end
elseif op == 'fold' then -- field, ledger's sum of closed processes…; I4: the one being closed gives way at the same moment
  call('HDEL', K[3], '#')
  for i = 5, #A, 2 do move(K[3], A[i], 0); move(K[4], A[i], tonumber(A[i + 1])) end
elseif op == 'drop' then -- what it held beyond its rows
  local all = call('HGETALL', K[3])
  for i = 1, #all, 2 do
    if all[i] ~= '#' and all[i] ~= '@' then move(K[3], all[i], 0) end
  end
  call('DEL', K[3])
  call('SREM', K[5], A[4])
elseif op == 'open' then
  call('HSET', K[1], 'open', '1')
elseif op == 'sweep' then -- fields of periods that nobody can charge any more
  for i = 5, #A do
    call('HDEL', K[2], A[i])
    call('HDEL', K[4], A[i])
    for k = 6, #K do call('HDEL', K[k], A[i]) end
  end
elseif op == 'swept' then -- ARGV 5: generations before it are gone
  call('HSET', K[1], 'swept', A[5])
end
return {'OK'}
