-- Take requests back: off their queues if no worker has started them; else their worker hears that nobody waits any more.
--
-- Of one that is gone a mark stays for a while. A worker that was away, or frozen, may have it yet, and learns by the mark
-- that it is over; what it still says of it is dropped.
--
-- KEYS: 1 queue high, 2 queue low
-- ARGV: 1 job key prefix, 2 inbox key prefix, 3 inbox TTL, 4 mark key prefix, 5 mark TTL,
--       then for each request: id, queue name, what to tell its worker ('' if it is not to end)
-- Returns, for each request: 'withdrawn', 'started' (a worker has it) or 'gone' (there is no such job).

local queues = { high = KEYS[1], low = KEYS[2] }
local outcomes = {}
for i = 6, #ARGV, 3 do
  local job, farewell = ARGV[1] .. ARGV[i], ARGV[i + 2]
  local found = redis.call('HMGET', job, 'status', 'worker_name')
  local status, worker = found[1], found[2]
  if status and status ~= 'queued' then
    if worker and worker ~= '' and farewell ~= '' then
      -- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
      redis.call('EXPIRE', ARGV[2] .. worker, ARGV[3])
      pcall(redis.call, 'RPUSH', ARGV[2] .. worker, farewell) -- a mailbox that is no list concerns nobody else
      redis.call('EXPIRE', ARGV[2] .. worker, ARGV[3])
    end
    outcomes[#outcomes + 1] = 'started'
  else
    -- The id goes too, so that the length of a queue is the number of requests that wait on it.
    redis.call('LREM', queues[ARGV[i + 1]], 1, ARGV[i])
    local withdrawn = redis.call('DEL', job) == 1
    if not withdrawn and farewell ~= '' then redis.call('SET', ARGV[4] .. ARGV[i], '1', 'EX', ARGV[5]) end
    outcomes[#outcomes + 1] = withdrawn and 'withdrawn' or 'gone'
  end
end
return outcomes
