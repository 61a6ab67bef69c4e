-- Finished rows of one process go into the stream, and it learns how far the ledger has committed. Offsets are bytes of
-- its spool; a batch sent twice is harmless (the row id is unique), one that is missing shows as a gap.
-- KEYS 1 stream  2 acks
-- ARGV 1 run_id known to the process  2 process  3 from  4 to  5 rows
-- Answer {'OK', committed offset} or {'RUN', run_id}: another server life, what was shipped and not committed may be gone
local info = redis.call('INFO', 'server')
local at = string.find(info, 'run_id:', 1, true)
local run = string.sub(info, at + 7, at + 46)
if run ~= ARGV[1] then return {'RUN', run} end
if ARGV[3] ~= ARGV[4] then
  redis.call('XADD', KEYS[1], '*', 'p', ARGV[2], 'f', ARGV[3], 't', ARGV[4], 'r', ARGV[5])
end
return {'OK', redis.call('HGET', KEYS[2], ARGV[2]) or '0'}
