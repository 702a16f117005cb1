-- Start as many waiting requests as the worker has slots for: high first, oldest first.
--
-- Skipped for good: what was withdrawn or has expired (its job is gone), what rq cancelled, and what a gateway asked for
-- that is no longer there. Constant work for each request given or skipped.
--
-- KEYS: 1 queue high, 2 queue low, 3 started high, 4 started low, 5 wake-up list, 6 rq's suspension
-- ARGV: 1 job key prefix, 2 gateway key prefix, 3 slots free, 4 worker name, 5 execution id, 6 lease seconds,
--       7 the time as rq writes it, 8 wake-up TTL, 9 most jobs looked at
-- Returns { suspended, { id, queue name, gateway id, data }, ... }; the gateway id is '' for a job that no gateway made.

if redis.call('EXISTS', KEYS[6]) == 1 then return { 1 } end

local prefix, gateways = ARGV[1], ARGV[2]
local free, lease, budget = tonumber(ARGV[3]), tonumber(ARGV[6]), tonumber(ARGV[9])
local lanes = { { 'high', KEYS[1], KEYS[3] }, { 'low', KEYS[2], KEYS[4] } }
local ends = tonumber(redis.call('TIME')[1]) + lease

local claimed = { 0 }
local remaining = 0
for _, lane in ipairs(lanes) do
  local name, queue, started = lane[1], lane[2], lane[3]
  while free > 0 and budget > 0 do
    local id = redis.call('LPOP', queue)
    if not id then break end
    budget = budget - 1
    local job = prefix .. id
    local found = redis.call('HMGET', job, 'data', 'gateway', 'status')
    local data, gateway = found[1], found[2] or ''
    if data and found[3] ~= 'canceled' then
      if gateway ~= '' and redis.call('EXISTS', gateways .. gateway) == 0 then
        redis.call('DEL', job)
      else
        redis.call('HSET', job, 'status', 'started', 'started_at', ARGV[7], 'last_heartbeat', ARGV[7], 'worker_name', ARGV[4])
        redis.call('EXPIRE', job, lease)
        redis.call('ZADD', started, ends, id .. ':' .. ARGV[5])
        redis.call('EXPIRE', started, lease + 60)
        claimed[#claimed + 1] = { id, name, gateway, data }
        free = free - 1
      end
    end
  end
  remaining = remaining + redis.call('LLEN', queue)
end

-- Tokens left over would wake workers for nothing; none left while work remains would let them sleep.
if remaining == 0 then
  redis.call('DEL', KEYS[5])
elseif redis.call('LLEN', KEYS[5]) == 0 then
  redis.call('LPUSH', KEYS[5], '1')
  redis.call('EXPIRE', KEYS[5], ARGV[8])
end
return claimed
