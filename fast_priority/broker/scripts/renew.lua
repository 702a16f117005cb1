-- Write the record of a worker, renew the leases of its requests in flight, and clear leases whose job is gone.
--
-- A lease that is gone can be restored, unless the request is cancelled: Redis may have been away for longer than a lease
-- lasts, or have come back empty, while the worker still forwards the request.
--
-- It notes that Redis runs, for all scripts that judge whether a gateway is gone (gateways.lua).
--
-- Keys:      record_key: the worker's record; workers_key: rq's set of workers; started_keys;
--            lane_workers_keys: rq's sets of the workers of each queue; levels_key: the note of levels (lanes.lua)
-- Arguments: worker_name; time: as rq writes it; lease_ms;
--            gateways_may_be_late: whether this worker was cut off from Redis, and gateways perhaps with it;
--            restore: whether to restore leases that are gone; lanes; record: field-value pairs
-- Leases:    id, execution_id, lane, gateway_id; has_job: '0' for a request that a gateway forwards by itself: it has no job,
--            and its lease only counts
-- Returns the lanes that are served, with a space between them, then for each lease 'held', 'gone', or 'over' if the request
-- is cancelled or its gateway is gone.

-- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
redis.call('EXPIRE', record_key, WORKER_TTL_SECONDS)

note_run()
redis.call('HSET', record_key, 'last_heartbeat', time, unpack(record))
redis.call('EXPIRE', record_key, WORKER_TTL_SECONDS)
redis.call('SADD', workers_key, record_key)
lanes = served or lanes
local is_lane = {}
for _, lane in ipairs(lanes) do
  redis.call('SADD', lane_workers_keys[lane], record_key)
  is_lane[lane] = true
end
for _, lane in ipairs(lanes_of_caller) do
  if not is_lane[lane] then redis.call('SREM', lane_workers_keys[lane], record_key) end
end

local now = tonumber(redis.call('TIME')[1])
local states = { table.concat(lanes, ' ') }
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local id, started_key, gateway = ARGV[at + ID], started_keys[ARGV[at + LANE]], ARGV[at + GATEWAY_ID]
  local job, member = JOB_PREFIX .. id, id .. ':' .. ARGV[at + EXECUTION_ID]
  local is_leased = redis.call('ZSCORE', started_key, member)
  local is_hash, fields = pcall(redis.call, 'HLEN', job)
  local exists = not is_hash or fields > 0
  -- Without a gateway it is a job of somebody else, which is about to go to the failed registry.
  local gateway_is_gone = gateway ~= '' and not gateways_may_be_late and state_of(gateway) == 'gone'
  local has_job = ARGV[at + HAS_JOB] == '1'
  local is_cancelled = redis.call('EXISTS', CANCELLED_PREFIX .. id) == 1
  if not has_job then
    if is_leased or restore then
      redis.call('ZADD', started_key, now + math.ceil(lease_ms / 1000), member)
      redis.call('PEXPIRE', started_key, lease_ms + 60000)
    end
    states[#states + 1] = (is_leased or restore) and 'held' or 'gone'
  elseif gateway_is_gone or is_cancelled or (exists and not is_leased) or not is_hash then
    redis.call('ZREM', started_key, member)
    if is_leased then redis.call('DEL', job) end
    states[#states + 1] = 'over'
  elseif not exists and not restore then
    states[#states + 1] = 'gone'
  else
    redis.call('HSET', job, 'last_heartbeat', time)
    if not exists then redis.call('HSET', job, 'status', 'started', 'worker_name', worker_name, 'gateway', gateway) end
    redis.call('PEXPIRE', job, lease_ms)
    redis.call('ZADD', started_key, now + math.ceil(lease_ms / 1000), member)
    redis.call('PEXPIRE', started_key, lease_ms + 60000)
    states[#states + 1] = 'held'
  end
end
for _, lane in ipairs(lanes) do
  local started_key = started_keys[lane]
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', started_key, '-inf', now, 'LIMIT', 0, 100)) do
    local id = string.match(member, '^(.*):')
    if not id or redis.call('EXISTS', JOB_PREFIX .. id) == 0 then redis.call('ZREM', started_key, member) end
  end
end
return states
