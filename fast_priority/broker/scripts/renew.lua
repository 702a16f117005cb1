-- Show that a worker lives, renew the leases of all requests that it has in flight, and clear leases whose job is gone.
--
-- A lease that is gone can be taken out anew, unless the request is marked as over: Redis may have been away for longer
-- than a lease, or have come back empty, and the worker has the request at the target all the same.
--
-- KEYS: 1 started high, 2 started low, 3 worker's record, 4 rq's set of workers, 5 workers of high, 6 workers of low
-- ARGV: 1 job key prefix, 2 gateway key prefix, 3 lease milliseconds, 4 the time as rq writes it, 5 seconds the record
--       lives, 6 mark key prefix, 7 the server that answered last, '' if none has, 8 '1' if gateways may not have shown
--       life yet since Redis was away, 9 worker name, 10 '1' to take out anew what is gone, 11 what this server's clock
--       should say, '' if that is unknown, 12 fields in the record, then the record's field-value pairs, then for each
--       request: id, execution id, queue name, gateway id
-- Returns { this server's run id, its clock's seconds and microseconds, then for each request 'held', 'gone', or 'over' if it
-- is, or its gateway is gone }.
--
-- A clock that was set has ended signs of life of gateways that are well.

-- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
redis.call('EXPIRE', KEYS[3], ARGV[5])

local fields = 2 * tonumber(ARGV[12])
local record = {}
for i = 13, 12 + fields do record[#record + 1] = ARGV[i] end
redis.call('HSET', KEYS[3], 'last_heartbeat', ARGV[4], unpack(record))
redis.call('EXPIRE', KEYS[3], ARGV[5])
for i = 4, 6 do redis.call('SADD', KEYS[i], KEYS[3]) end

local server, time = this_server(), redis.call('TIME')
local was_set = ARGV[11] ~= '' and math.abs(tonumber(time[1]) + tonumber(time[2]) / 1000000 - tonumber(ARGV[11])) > 1
local gateways_may_be_late = ARGV[8] == '1' or (ARGV[7] ~= '' and ARGV[7] ~= server) or was_set

local started = { high = KEYS[1], low = KEYS[2] }
local lease = tonumber(ARGV[3])
local now = tonumber(time[1])
local seen = { server, time[1], time[2] }
for i = 13 + fields, #ARGV, 4 do
  local id, lane, gateway = ARGV[i], started[ARGV[i + 2]], ARGV[i + 3]
  local job, member = ARGV[1] .. id, id .. ':' .. ARGV[i + 1]
  local is_ours = redis.call('ZSCORE', lane, member)
  local is_hash, fields_there = pcall(redis.call, 'HLEN', job)
  local is_there = not is_hash or fields_there > 0
  local gateway_is_gone = not gateways_may_be_late and redis.call('EXISTS', ARGV[2] .. gateway) == 0
  if gateway_is_gone or redis.call('EXISTS', ARGV[6] .. id) == 1 or (is_there and not is_ours) or not is_hash then
    redis.call('ZREM', lane, member)
    if is_ours then redis.call('DEL', job) end
    seen[#seen + 1] = 'over'
  elseif not is_there and ARGV[10] ~= '1' then
    seen[#seen + 1] = 'gone'
  else
    redis.call('HSET', job, 'last_heartbeat', ARGV[4])
    if not is_there then redis.call('HSET', job, 'status', 'started', 'worker_name', ARGV[9], 'gateway', gateway) end
    redis.call('PEXPIRE', job, lease)
    redis.call('ZADD', lane, now + math.ceil(lease / 1000), member)
    redis.call('PEXPIRE', lane, lease + 60000)
    seen[#seen + 1] = 'held'
  end
end
for i = 1, 2 do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'LIMIT', 0, 100)) do
    local id = string.match(member, '^(.*):')
    if not id or redis.call('EXISTS', ARGV[1] .. id) == 0 then redis.call('ZREM', KEYS[i], member) end
  end
end
return seen
