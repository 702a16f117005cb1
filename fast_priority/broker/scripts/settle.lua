-- End requests that a worker started: their answers go to the gateways that asked, and nothing of them stays.
--
-- An answer counts only while the worker's lease holds: the job is there and the execution is the one that was started.
-- A late one is dropped, and so is one for a gateway that is gone.
--
-- KEYS: 1 started high, 2 started low
-- ARGV: 1 job key prefix, 2 gateway key prefix, 3 inbox key prefix, 4 inbox TTL,
--       then for each request: id, execution id, queue name, gateway id, answer
-- Returns, for each request, 1 if its answer was delivered and 0 if it was dropped.

local started = { high = KEYS[1], low = KEYS[2] }
local delivered = {}
for i = 5, #ARGV, 5 do
  local id, gateway = ARGV[i], ARGV[i + 3]
  local leased = redis.call('ZREM', started[ARGV[i + 2]], id .. ':' .. ARGV[i + 1]) == 1
  local there = leased and redis.call('DEL', ARGV[1] .. id) == 1
  if there and redis.call('EXISTS', ARGV[2] .. gateway) == 1 then
    redis.call('RPUSH', ARGV[3] .. gateway, ARGV[i + 4])
    redis.call('EXPIRE', ARGV[3] .. gateway, ARGV[4])
    delivered[#delivered + 1] = 1
  else
    delivered[#delivered + 1] = 0
  end
end
return delivered
