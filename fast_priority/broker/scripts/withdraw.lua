-- Take requests back: from their queues if no worker has started them; otherwise send their worker a Cancel frame.
--
-- If a job is gone, Redis remembers for a while that the request is cancelled. A worker that was away, or frozen, may still
-- have the request; it learns from that to stop, and its parts are dropped.
--
-- The length of a queue is the number of requests that wait on it, so the id goes too. The search for it begins at both ends
-- of the queue: clients leave soon, or when they have waited for the longest time. It looks at 10,000 ids from each end at
-- most, and at 100 if the job is gone: then a worker has most likely taken the id. An id that it does not find stays, and
-- counts as a request that waits, until a claim drops it, or submit.lua drops it to make room. Without its job it is never
-- executed.
--
-- Keys:      queue_keys
-- Arguments: lanes
-- Requests:  id, lane; cancel_frame: for the worker that has started the request; '' to let that worker finish
-- Returns for each request 'withdrawn', 'started' (a worker has it) or 'gone' (the job does not exist).

local function remove_from(queue_key, id, most)
  local within = 100
  while true do
    for _, from in ipairs({ -1, 1 }) do -- the tail, where the youngest are; the head
      if redis.call('LPOS', queue_key, id, 'RANK', from, 'MAXLEN', within) then
        redis.call('LREM', queue_key, from, id)
        return
      end
    end
    if within >= most then return end
    within = math.min(10 * within, most)
  end
end

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
    local is_withdrawn = redis.call('DEL', job) == 1
    -- Not a list: the other requests are unaffected.
    pcall(remove_from, queue_keys[ARGV[at + LANE]], id, is_withdrawn and MOST_IDS_SEARCHED or 100)
    if not is_withdrawn and cancel_frame ~= '' then redis.call('SET', CANCELLED_PREFIX .. id, '1', 'EX', CANCELLED_TTL_SECONDS) end
    outcomes[#outcomes + 1] = is_withdrawn and 'withdrawn' or 'gone'
  end
end
return outcomes
