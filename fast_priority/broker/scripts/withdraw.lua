-- Take requests back: off their queues if no worker has started them; else their worker hears that the client has left.
--
-- KEYS: 1 queue high, 2 queue low
-- ARGV: 1 job key prefix, 2 inbox key prefix, 3 inbox TTL, then for each request: id, queue name, what to tell its worker
-- Returns, for each request: 'withdrawn', 'started' (a worker has it) or 'gone' (there is no such job).

local queues = { high = KEYS[1], low = KEYS[2] }
local outcomes = {}
for i = 4, #ARGV, 3 do
  local job = ARGV[1] .. ARGV[i]
  local found = redis.call('HMGET', job, 'status', 'worker_name')
  local status, worker = found[1], found[2]
  if status and status ~= 'queued' then
    if worker and worker ~= '' and ARGV[i + 2] ~= '' then
      redis.call('RPUSH', ARGV[2] .. worker, ARGV[i + 2])
      redis.call('EXPIRE', ARGV[2] .. worker, ARGV[3])
    end
    outcomes[#outcomes + 1] = 'started'
  else
    -- The id goes too, so that the length of a queue is the number of requests that wait on it.
    redis.call('LREM', queues[ARGV[i + 1]], 1, ARGV[i])
    outcomes[#outcomes + 1] = redis.call('DEL', job) == 1 and 'withdrawn' or 'gone'
  end
end
return outcomes
