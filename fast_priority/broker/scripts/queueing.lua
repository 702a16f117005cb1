-- A part of the scripts that put requests on queues. It uses the keys, arguments and rows of `SubmittedRequest`.

-- The number of requests that wait in a lane. If its queue is full, ids at its head whose job is gone, withdrawn or expired,
-- are dropped, up to MOST_IDS_DROPPED.
local function length_of(lane)
  local queue_key = queue_keys[lane]
  local length = redis.call('LLEN', queue_key)
  if length < limits[lane] then return length end
  for _ = 1, MOST_IDS_DROPPED do
    local first = redis.call('LINDEX', queue_key, 0)
    if not first or redis.call('EXISTS', JOB_PREFIX .. first) == 1 then break end
    redis.call('LPOP', queue_key)
    length = length - 1
  end
  return length
end

local fields, base = job_fields, #job_fields
local behind, queued, longest_wait = {}, 0, {}

-- Put the request at this place of ARGV on its queue: at once if it goes first, else with `put_behind`. Return false if
-- recall.lua has found its submit absent: the gateway has decided by that, so the job must not be queued after it.
local function queue_request(at, server)
  local id, lane = ARGV[at + ID], ARGV[at + LANE]
  fields[base + 1], fields[base + 2] = 'data', ARGV[at + DATA]
  fields[base + 3], fields[base + 4] = 'created_at', ARGV[at + TIME]
  fields[base + 5], fields[base + 6] = 'enqueued_at', ARGV[at + TIME]
  fields[base + 7], fields[base + 8] = 'description', ARGV[at + DESCRIPTION]
  fields[base + 9], fields[base + 10] = 'origin', lane
  fields[base + 11], fields[base + 12] = 'gateway', gateway_id
  fields[base + 13], fields[base + 14] = 'server', server
  fields[base + 15], fields[base + 16] = 'again', ARGV[at + MAY_REPEAT]
  fields[base + 17], fields[base + 18] = 'ttl', ARGV[at + TTL]
  if redis.call('HSET', JOB_PREFIX .. id, unpack(fields)) < #fields / 2 then
    redis.call('DEL', JOB_PREFIX .. id) -- some of the fields existed: they are the tombstone of recall.lua
    return false
  end
  -- The gateway withdraws the job after ttl. The extra second is for a gateway that cannot.
  local ttl = tonumber(ARGV[at + TTL])
  redis.call('EXPIRE', JOB_PREFIX .. id, ttl + 1)
  longest_wait[lane] = math.max(longest_wait[lane] or 0, ttl)
  behind[lane] = behind[lane] or {}
  if ARGV[at + GOES_FIRST] == '1' then redis.call('LPUSH', queue_keys[lane], id) else table.insert(behind[lane], id) end
  queued = queued + 1
  return true
end

-- Put the requests that go behind all others on their queues, and a token for each new request on the wake-up list.
local function put_behind()
  for lane, ids in pairs(behind) do
    if #ids > 0 then redis.call('RPUSH', queue_keys[lane], unpack(ids)) end
    local seconds = longest_wait[lane] + QUEUE_GRACE_SECONDS
    -- Only longer: another request on the queue may have a longer TTL. A new list has none, which is -1.
    if redis.call('TTL', queue_keys[lane]) < seconds then redis.call('EXPIRE', queue_keys[lane], seconds) end
  end
  local tokens = {}
  for i = 1, math.min(queued, most_wake_ups - redis.call('LLEN', wake_up_key)) do tokens[i] = '1' end
  if #tokens > 0 then redis.call('LPUSH', wake_up_key, unpack(tokens)) end
  redis.call('EXPIRE', wake_up_key, WAKE_UP_TTL_SECONDS)
end

-- The gateway that submits is alive, even if Redis has just restarted and does not know it. This is the last step of a
-- script: Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
local function note_sign_of_life()
  if redis.call('PEXPIRE', gateway_key, gateway_ttl_ms) == 0 then
    redis.call('SET', gateway_key, WIRE_VERSION, 'PX', gateway_ttl_ms)
  end
end

-- Renew the note of levels, if this gateway's are in force: see lanes.lua. A request that was queued in a lane that is not
-- served any more, by a gateway that did not know this yet, has that lane served again. After `note_sign_of_life`, for the same
-- reason.
local function note_levels()
  local is_missing = not served
  for lane in pairs(behind) do is_missing = is_missing or not is_served[lane] end
  if served and is_missing and #lanes <= MOST_LANES then redis.call('HSET', levels_key, 'served', table.concat(lanes, ' ')) end
  if not holds_levels then return end
  if served then
    redis.call('PEXPIRE', levels_key, LEVELS_TTL_MILLISECONDS)
  else
    write_levels(levels, lanes, change)
  end
end
