-- Start as many waiting requests as the worker has free slots: the lanes in order of precedence, the oldest first.
--
-- A claim skips, and removes for good:
--   ids whose job is gone: it was withdrawn, or it has expired;
--   jobs that are not queued: rq cancelled them, or their id was on the queue twice;
--   jobs of a gateway that is gone;
--   jobs that another server has queued, or this server before a restart: they may have been started since then, and their
--   gateway decides about them.
-- The work for each request is constant.
--
-- A claim passes over jobs of a newer wire version, and changes nothing of them: they stay at their place for a newer
-- worker. To do so it takes them off the queue and puts them back. In each lane it passes over MOST_NEWER_PASSED of them,
-- so that it does not block Redis for long. The requests behind so many have to wait until a newer worker has taken some of
-- them, or their gateway has withdrawn them at the end of their TTL. If this worker has taken their token, an idle newer
-- worker finds them within 2 s.
--
-- A claim that is sent ahead waits in Redis, behind a blocking wait for work. Redis carries it out even if its worker has
-- frozen or lost its connection by then. So it takes only jobs that can be queued again after that, and stops at the first
-- other job: the worker takes that with a claim that it sends when it knows of the work.
--
-- A worker whose answer was lost sends the claim again with the same execution id. It gets the same requests, with new
-- leases.
--
-- Keys:      queue_keys, started_keys; wake_up_key: the list of wake-up tokens; suspended_key: rq's suspension;
--            last_claim_key: what this worker claimed last
-- Arguments: worker_name, execution_id; time: as rq writes it; not_sent_part: tells a gateway, in a frame,
--            that its request was not sent; free_slots, lease_ms; most_jobs: the most jobs to look at; is_retry: whether
--            the same claim was sent before; is_sent_ahead; lanes
-- Returns { 1 if rq suspends the workers, 1 if work is left for another claim, then for each request
--   { id, lane, gateway id, data, wire version } }. The gateway id is '' for a job that no gateway made.

-- The wire version in a job: 1 if there is none.
local function version_in(field)
  local digits = string.match(field or '', '^[1-9]%d?%d?%d?$')
  return digits and tonumber(digits) or 1
end

local claimed = { 0, 0 }
if is_retry then
  local last = redis.call('GET', last_claim_key) or ''
  if string.match(last, '^%S+') == execution_id then
    for id, lane in string.gmatch(last, ' (%S+) (%S+)') do
      local found = redis.call('HMGET', JOB_PREFIX .. id, 'data', 'gateway', 'wire')
      if found[1] then
        redis.call('PEXPIRE', JOB_PREFIX .. id, lease_ms)
        claimed[#claimed + 1] = { id, lane, found[2] or '', found[1], version_in(found[3]) }
      end
    end
    return claimed
  end
end

if redis.call('EXISTS', suspended_key) == 1 then return { 1, 0 } end

local server
local function is_of_this_server(job_server)
  server = server or this_server()
  return job_server == server
end

local living = {}
local function is_alive(gateway)
  if living[gateway] == nil then living[gateway] = redis.call('EXISTS', GATEWAY_PREFIX .. gateway) == 1 end
  return living[gateway]
end

local function put_back(queue_key, ids)
  local back = {}
  for i = #ids, 1, -1 do back[#back + 1] = ids[i] end
  -- If the queue was empty, this makes a new list, which has no TTL.
  if redis.call('LPUSH', queue_key, unpack(back)) == #back then
    local remaining_ms = 0
    for _, id in ipairs(ids) do remaining_ms = math.max(remaining_ms, redis.call('PTTL', JOB_PREFIX .. id)) end
    redis.call('PEXPIRE', queue_key, remaining_ms + QUEUE_GRACE_SECONDS * 1000)
  end
end

-- Decide about a job from a queue: 'start' it, 'skip' it, 'leave' it, with all behind it, to another claim, or 'pass' over
-- it because only a newer worker knows what it asks for.
local function decide(id, found)
  local data, gateway = found[1], found[2] or ''
  if data and (#id > 255 or not string.find(id, '^[%w_-]+$')) then
    redis.call('DEL', JOB_PREFIX .. id) -- rq's tools cannot name it
  elseif data and found[3] == 'queued' then
    local version = version_in(found[6])
    if gateway ~= '' and not is_of_this_server(found[4]) then
      redis.call('DEL', JOB_PREFIX .. id)
    elseif gateway ~= '' and not is_alive(gateway) then
      redis.call('DEL', JOB_PREFIX .. id)
      -- If the gateway lives all the same (Redis may have been held up for longer than the TTL of its sign of life), it
      -- queues the request again, in front of all others. LPUSH, so that it receives the last request first. A newer
      -- gateway gets no frame, because this worker does not know its frames: it finds the job missing.
      if version <= WIRE_VERSION then
        local frame = '\147\217' .. string.char(#id) .. id .. not_sent_part .. string.char(version)
        pcall(redis.call, 'LPUSH', INBOX_PREFIX .. gateway, frame)
        redis.call('EXPIRE', INBOX_PREFIX .. gateway, INBOX_TTL_SECONDS)
      end
    elseif version > WIRE_VERSION then
      return 'pass'
    else
      return is_sent_ahead and found[5] ~= '1' and 'leave' or 'start'
    end
  end
  return 'skip'
end

local note, lanes_taken_up, jobs_left = { execution_id }, 0, most_jobs
local out_of_reach, some_are_newer = {}, false -- for each lane, how many jobs this worker cannot take
for _, lane in ipairs(lanes) do
  local queue_key, leases, kept, passed = queue_keys[lane], {}, {}, 0
  while free_slots > 0 and jobs_left > 0 and claimed[2] == 0 and passed < MOST_NEWER_PASSED do
    local wanted = math.min(free_slots, jobs_left)
    local ids = redis.call('LPOP', queue_key, wanted) or {}
    for i, id in ipairs(ids) do
      local job = JOB_PREFIX .. id
      local is_hash, found = pcall(redis.call, 'HMGET', job, 'data', 'gateway', 'status', 'server', 'again', 'wire')
      found = is_hash and found or {} -- not a hash: treat the job as missing; other jobs are unaffected
      local decision = decide(id, found)
      if decision == 'leave' then
        for later = i, #ids do kept[#kept + 1] = ids[later] end
        claimed[2] = 1
        break
      elseif decision == 'pass' then
        kept[#kept + 1] = id
        passed = passed + 1
      elseif decision == 'start' then
        redis.call('HSET', job, 'status', 'started', 'started_at', time, 'last_heartbeat', time, 'worker_name', worker_name)
        redis.call('PEXPIRE', job, lease_ms)
        leases[#leases + 1] = id .. ':' .. execution_id
        claimed[#claimed + 1] = { id, lane, found[2] or '', found[1], version_in(found[6]) }
        note[#note + 1] = id
        note[#note + 1] = lane
        free_slots = free_slots - 1
      end
      jobs_left = jobs_left - 1
    end
    if #ids < wanted then
      lanes_taken_up = lanes_taken_up + 1
      break
    end
  end
  if #kept > 0 then put_back(queue_key, kept) end
  some_are_newer = some_are_newer or passed > 0
  out_of_reach[lane] = passed < MOST_NEWER_PASSED and passed or math.huge
  if #leases > 0 then
    local started_key = started_keys[lane]
    local ends = tonumber(redis.call('TIME')[1]) + math.ceil(lease_ms / 1000)
    local scored = {}
    for _, member in ipairs(leases) do
      scored[#scored + 1] = ends
      scored[#scored + 1] = member
    end
    -- Not a sorted set: it holds no leases. Replace it, so that the claimed requests are not lost.
    if not pcall(redis.call, 'ZADD', started_key, unpack(scored)) then
      redis.call('DEL', started_key)
      redis.call('ZADD', started_key, unpack(scored))
    end
    redis.call('PEXPIRE', started_key, lease_ms + 60000)
  end
end
if #note > 1 then redis.call('SET', last_claim_key, table.concat(note, ' '), 'PX', lease_ms) end
if claimed[2] == 1 then return claimed end

local function nothing_is_left()
  for _, lane in ipairs(lanes) do
    if redis.call('LLEN', queue_keys[lane]) > out_of_reach[lane] then return false end
  end
  return true
end

-- Tokens without work would wake workers for nothing. Work without a token would let workers sleep. A wake-up list of
-- another type is removed: tokens only save time. Tokens for newer workers stay, and none is added for them: this worker
-- would take it again and again.
if lanes_taken_up == #lanes or nothing_is_left() then
  if not some_are_newer then redis.call('DEL', wake_up_key) end
else
  local is_list, tokens = pcall(redis.call, 'LLEN', wake_up_key)
  if not is_list then redis.call('DEL', wake_up_key) end
  if not is_list or tokens == 0 then
    redis.call('LPUSH', wake_up_key, '1')
    redis.call('EXPIRE', wake_up_key, WAKE_UP_TTL_SECONDS)
  end
end
return claimed
