-- Take requests back off their queues, if no worker has started them.
--
-- KEYS: 1 queue high, 2 queue low
-- ARGV: 1 job key prefix, then for each request: id, queue name
-- Returns, for each request: 'withdrawn', 'started' (a worker has it) or 'gone' (there is no such job).

local queues = { high = KEYS[1], low = KEYS[2] }
local outcomes = {}
for i = 2, #ARGV, 2 do
  local job = ARGV[1] .. ARGV[i]
  local status = redis.call('HGET', job, 'status')
  if status and status ~= 'queued' then
    outcomes[#outcomes + 1] = 'started'
  else
    -- The id goes too, so that the length of a queue is the number of requests that wait on it.
    redis.call('LREM', queues[ARGV[i + 1]], 1, ARGV[i])
    outcomes[#outcomes + 1] = redis.call('DEL', job) == 1 and 'withdrawn' or 'gone'
  end
end
return outcomes
