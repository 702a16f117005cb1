-- Say something about requests that a worker started, to the gateways that asked for them; the last thing said ends a
-- request, and nothing of it stays.
--
-- A frame counts only while the worker's lease holds: the job is there and the execution is the one that was started.
-- A late one is dropped, and so is one for a gateway that is gone.
--
-- KEYS: 1 started high, 2 started low
-- ARGV: 1 job key prefix, 2 gateway key prefix, 3 inbox key prefix, 4 inbox TTL,
--       then for each frame: id, execution id, queue name, gateway id, frame ('' to say nothing), '1' if it is the last
-- Returns, for each frame, 1 if it was delivered and 0 if it was dropped.

local started = { high = KEYS[1], low = KEYS[2] }
local delivered = {}
for i = 5, #ARGV, 6 do
  local id, gateway, frame = ARGV[i], ARGV[i + 3], ARGV[i + 4]
  local lane, member, job = started[ARGV[i + 2]], id .. ':' .. ARGV[i + 1], ARGV[1] .. id
  local holds
  if ARGV[i + 5] == '1' then
    local leased = redis.call('ZREM', lane, member) == 1
    holds = leased and redis.call('DEL', job) == 1
  else
    holds = redis.call('ZSCORE', lane, member) and redis.call('EXISTS', job) == 1
  end
  if holds and redis.call('EXISTS', ARGV[2] .. gateway) == 1 then
    if frame ~= '' then
      redis.call('RPUSH', ARGV[3] .. gateway, frame)
      redis.call('EXPIRE', ARGV[3] .. gateway, ARGV[4])
    end
    delivered[#delivered + 1] = 1
  else
    delivered[#delivered + 1] = 0
  end
end
return delivered
