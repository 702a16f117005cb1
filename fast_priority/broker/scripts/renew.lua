-- Show that a worker lives, renew the leases of all requests that it has in flight, and clear leases whose job is gone.
--
-- KEYS: 1 started high, 2 started low, 3 worker's record, 4 rq's set of workers, 5 workers of high, 6 workers of low
-- ARGV: 1 job key prefix, 2 gateway key prefix, 3 lease seconds, 4 the time as rq writes it, 5 seconds the record lives,
--       6 fields in the record, then the record's field-value pairs, then for each request: id, execution id, queue name,
--       gateway id
-- Returns, for each request, 1 if the lease still held and 0 if it is lost, or the gateway that asked is gone.

-- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
redis.call('EXPIRE', KEYS[3], ARGV[5])

local fields = 2 * tonumber(ARGV[6])
local record = {}
for i = 7, 6 + fields do record[#record + 1] = ARGV[i] end
redis.call('HSET', KEYS[3], 'last_heartbeat', ARGV[4], unpack(record))
redis.call('EXPIRE', KEYS[3], ARGV[5])
for i = 4, 6 do redis.call('SADD', KEYS[i], KEYS[3]) end

local started = { high = KEYS[1], low = KEYS[2] }
local lease = tonumber(ARGV[3])
local now = tonumber(redis.call('TIME')[1])
local held = {}
for i = 7 + fields, #ARGV, 4 do
  local id, lane, gateway = ARGV[i], started[ARGV[i + 2]], ARGV[i + 3]
  local member = id .. ':' .. ARGV[i + 1]
  if redis.call('EXISTS', ARGV[2] .. gateway) == 0 and redis.call('ZREM', lane, member) == 1 then
    redis.call('DEL', ARGV[1] .. id)
    held[#held + 1] = 0
  elseif redis.call('ZSCORE', lane, member) and redis.call('EXPIRE', ARGV[1] .. id, lease) == 1 then
    redis.call('HSET', ARGV[1] .. id, 'last_heartbeat', ARGV[4])
    redis.call('ZADD', lane, 'XX', now + lease, member)
    redis.call('EXPIRE', lane, lease + 60)
    held[#held + 1] = 1
  else
    redis.call('ZREM', lane, member)
    held[#held + 1] = 0
  end
end
for i = 1, 2 do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'LIMIT', 0, 100)) do
    local id = string.match(member, '^(.*):')
    if not id or redis.call('EXISTS', ARGV[1] .. id) == 0 then redis.call('ZREM', KEYS[i], member) end
  end
end
return held
