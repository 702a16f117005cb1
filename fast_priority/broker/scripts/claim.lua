-- Start as many waiting requests as the worker has free slots: the lanes in order of precedence, the oldest first.
-- claiming.lua says what is skipped and passed over.
--
-- A claim that is sent ahead waits in Redis, behind a blocking wait for work. Redis carries it out even if its worker has
-- frozen or lost its connection by then. So it takes only jobs that can be queued again after that, and stops at the first
-- other job: the worker takes that with a claim that it sends when it knows of the work.
--
-- A worker whose answer was lost sends the claim again with the same execution id. It gets the same requests, with new
-- leases, except those whose gateway is gone by now: they are dropped.
--
-- Keys:      queue_keys, started_keys; wake_up_key: the list of wake-up tokens; suspended_key: rq's suspension;
--            last_claim_key: what this worker claimed last; levels_key: the note of levels (lanes.lua)
-- Arguments: worker_name, execution_id; time: as rq writes it; not_sent_part: tells a gateway, in a frame,
--            that its request was not sent; free_slots, lease_ms; most_jobs: the most jobs to look at; is_retry: whether
--            the same claim was sent before; is_sent_ahead; lanes
-- Returns { 1 if rq suspends the workers, 1 if work is left for another claim, then for each request
--   { id, lane, gateway id, data, wire version } }. The gateway id is '' for a job that no gateway made.

local claimed = { 0, 0 }
if is_retry then
  local last = redis.call('GET', last_claim_key) or ''
  if string.match(last, '^%S+') == execution_id then
    for id, lane in string.gmatch(last, ' (%S+) (%S+)') do
      local found = redis.call('HMGET', JOB_PREFIX .. id, 'data', 'gateway', 'wire')
      if found[1] and is_orphan(found[2] or '') then
        drop_orphan(id, found[2], version_in(found[3]))
        redis.call('ZREM', started_keys[lane], id .. ':' .. execution_id)
      elseif found[1] then
        redis.call('PEXPIRE', JOB_PREFIX .. id, lease_ms)
        claimed[#claimed + 1] = { id, lane, found[2] or '', found[1], version_in(found[3]) }
      end
    end
    return claimed
  end
end

if redis.call('EXISTS', suspended_key) == 1 then return { 1, 0 } end

local note = { execution_id }
for _, lane in ipairs(lanes) do
  local leases = {}
  free_slots = claim_from(lane, free_slots, function(id, found)
    if is_sent_ahead and found[5] ~= '1' then return false end
    local job = JOB_PREFIX .. id
    redis.call('HSET', job, 'status', 'started', 'started_at', time, 'last_heartbeat', time, 'worker_name', worker_name)
    redis.call('PEXPIRE', job, lease_ms)
    leases[#leases + 1] = id .. ':' .. execution_id
    claimed[#claimed + 1] = { id, lane, found[2] or '', found[1], version_in(found[6]) }
    note[#note + 1] = id
    note[#note + 1] = lane
  end)
  add_leases(lane, leases)
end
if #note > 1 then redis.call('SET', last_claim_key, table.concat(note, ' '), 'PX', lease_ms) end
if some_are_left then
  claimed[2] = 1
else
  settle_wake_ups()
end
return claimed
