-- A part of the scripts that claim: start waiting requests, the oldest of a lane first. It uses the keys and arguments that
-- claim.lua describes.
--
-- A claim skips, and removes for good:
--   ids whose job is gone: it was withdrawn, or it has expired;
--   jobs that are not queued: rq cancelled them, or their id was on the queue twice;
--   jobs of a gateway that is gone (gateways.lua);
--   jobs that another server has queued, or this server before a restart: they may have been started since then, and their
--   gateway decides about them.
-- The work for each request is constant.
--
-- A claim passes over jobs of a newer wire version, and over jobs of a gateway of which it is not known whether it lives. It
-- changes nothing of them: they stay at their place, for a newer worker, or until that is known. To do so it takes them off
-- the queue and puts them back. In each lane it passes over MOST_PASSED_OVER of them, so that it does not block Redis for
-- long. The requests behind so many have to wait until some of them were taken, or their gateway has withdrawn them at the
-- end of their TTL. A gateway whose sign of life is back leaves a token. If this worker has taken the token of a newer job,
-- an idle newer worker finds that job within 2 s.

-- The wire version in a job: 1 if there is none.
local function version_in(field)
  local digits = string.match(field or '', '^[1-9]%d?%d?%d?$')
  return digits and tonumber(digits) or 1
end

local server
local function is_of_this_server(job_server)
  server = server or this_server()
  return job_server == server
end

-- Push a frame for a gateway: the part is encoded already.
local function push_frame(gateway, id, part, version)
  local frame = '\147\217' .. string.char(#id) .. id .. part .. string.char(version)
  pcall(redis.call, 'LPUSH', INBOX_PREFIX .. gateway, frame)
  redis.call('EXPIRE', INBOX_PREFIX .. gateway, INBOX_TTL_SECONDS)
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

local function is_orphan(gateway) return gateway ~= '' and state_of(gateway) == 'gone' end

-- Drop a request whose gateway is gone. If that lives all the same (it was frozen, or cut off from Redis), it queues the
-- request again, in front of all others. LPUSH, so that it receives the last request first. A newer gateway gets no frame,
-- because this worker does not know its frames: it finds the job missing.
local function drop_orphan(id, gateway, version)
  redis.call('DEL', JOB_PREFIX .. id)
  if version <= WIRE_VERSION then push_frame(gateway, id, not_sent_part, version) end
end

-- Decide about a job from a queue: 'start' it, 'skip' it, or 'pass' over it: only a newer worker knows what it asks for, or
-- it is not known whether its gateway lives.
local function decide(id, found)
  local data, gateway = found[1], found[2] or ''
  if data and (#id > 255 or not string.find(id, '^[%w_-]+$')) then
    redis.call('DEL', JOB_PREFIX .. id) -- rq's tools cannot name it
  elseif data and found[3] == 'queued' then
    local version = version_in(found[6])
    if gateway ~= '' and not is_of_this_server(found[4]) then
      redis.call('DEL', JOB_PREFIX .. id)
    elseif is_orphan(gateway) then
      drop_orphan(id, gateway, version)
    elseif version > WIRE_VERSION or (gateway ~= '' and state_of(gateway) == 'unknown') then
      return 'pass'
    else
      return 'start'
    end
  end
  return 'skip'
end

local jobs_left = most_jobs
local lanes_taken_up, some_are_passed, some_are_left = 0, false, false
local out_of_reach = {} -- for each lane, how many jobs this worker cannot take

-- Take requests off the queue of a lane, for so many free slots, and call start(id, fields of its job, lane) for each. If that
-- returns false, the request and all others are left to another claim. Return how many slots are still free.
local function claim_from(lane, free, start)
  local queue_key, kept, passed = queue_keys[lane], {}, 0
  while free > 0 and jobs_left > 0 and not some_are_left and passed < MOST_PASSED_OVER do
    local wanted = math.min(free, jobs_left)
    local ids = redis.call('LPOP', queue_key, wanted) or {}
    for i, id in ipairs(ids) do
      local is_hash, found = pcall(redis.call, 'HMGET', JOB_PREFIX .. id, 'data', 'gateway', 'status', 'server', 'again', 'wire')
      found = is_hash and found or {} -- not a hash: treat the job as missing; other jobs are unaffected
      local decision = decide(id, found)
      if decision == 'pass' then
        kept[#kept + 1] = id
        passed = passed + 1
      elseif decision == 'start' then
        if start(id, found, lane) == false then
          for later = i, #ids do kept[#kept + 1] = ids[later] end
          some_are_left = true
          break
        end
        free = free - 1
      end
      jobs_left = jobs_left - 1
    end
    if #ids < wanted then
      lanes_taken_up = lanes_taken_up + 1
      break
    end
  end
  if #kept > 0 then put_back(queue_key, kept) end
  some_are_passed = some_are_passed or passed > 0
  out_of_reach[lane] = passed < MOST_PASSED_OVER and passed or math.huge
  return free
end

-- Add leases to the registry of a lane: members `job id:execution id`.
local function add_leases(lane, leases)
  if #leases == 0 then return end
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

local function nothing_is_left()
  for _, lane in ipairs(lanes) do
    if redis.call('LLEN', queue_keys[lane]) > (out_of_reach[lane] or 0) then return false end
  end
  return true
end

-- Tokens without work would wake workers for nothing. Work without a token would let workers sleep. A wake-up list of
-- another type is removed: tokens only save time. Tokens for what was passed over stay, and none is added for it: this
-- worker would take it again and again.
local function settle_wake_ups()
  if lanes_taken_up == #lanes or nothing_is_left() then
    if not some_are_passed then redis.call('DEL', wake_up_key) end
  else
    local is_list, tokens = pcall(redis.call, 'LLEN', wake_up_key)
    if not is_list then redis.call('DEL', wake_up_key) end
    if not is_list or tokens == 0 then
      redis.call('LPUSH', wake_up_key, '1')
      redis.call('EXPIRE', wake_up_key, WAKE_UP_TTL_SECONDS)
    end
  end
end
