-- Take requests back: from their queues if no worker has started them; otherwise send their worker a Cancel frame.
--
-- If a job is gone, Redis remembers for a while that the request is cancelled. A worker that was away, or frozen, may still
-- have the request; it learns from that to stop, and its parts are dropped.
--
-- Keys:      queue_keys
-- Arguments: lanes
-- Requests:  id, lane; cancel_frame: for the worker that has started the request; '' to let that worker finish
-- Returns for each request 'withdrawn', 'started' (a worker has it) or 'gone' (the job does not exist).

local outcomes = {}
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local id, cancel_frame = ARGV[at + ID], ARGV[at + CANCEL_FRAME]
  local job = JOB_PREFIX .. id
  local found = redis.call('HMGET', job, 'status', 'worker_name')
  local status, worker = found[1], found[2]
  if status and status ~= 'queued' then
    if worker and worker ~= '' and cancel_frame ~= '' then
      -- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
      redis.call('EXPIRE', INBOX_PREFIX .. worker, INBOX_TTL_SECONDS)
      pcall(redis.call, 'RPUSH', INBOX_PREFIX .. worker, cancel_frame) -- not a list: other requests are unaffected
      redis.call('EXPIRE', INBOX_PREFIX .. worker, INBOX_TTL_SECONDS)
    end
    outcomes[#outcomes + 1] = 'started'
  else
    -- The id goes too, so that the length of a queue is the number of requests that wait on it.
    redis.call('LREM', queue_keys[ARGV[at + LANE]], 1, id)
    local is_withdrawn = redis.call('DEL', job) == 1
    if not is_withdrawn and cancel_frame ~= '' then redis.call('SET', CANCELLED_PREFIX .. id, '1', 'EX', CANCELLED_TTL_SECONDS) end
    outcomes[#outcomes + 1] = is_withdrawn and 'withdrawn' or 'gone'
  end
end
return outcomes
