-- Put requests on their queues, as rq jobs, unless a queue is full. The cost does not depend on the lengths of the queues.
--
-- Keys:      queue_keys; wake_up_key: the list of wake-up tokens; gateway_key: the gateway's sign of life
-- Arguments: gateway_id; ttl: seconds that a job may wait; most_wake_ups, gateway_ttl, lanes;
--            job_fields: field-value pairs that all jobs have; limits: the most requests that may wait in each lane
-- Requests:  id, lane, data, time, description; queue_until: by the clock of Redis; goes_first: '1' for a second attempt;
--            may_repeat: '1' if the request may be queued again when its worker is lost
-- Returns { this server's run id, its clock's seconds and microseconds, then for each request its outcome }:
--   'queued';
--   'full' if its queue is. Ids at the head whose job is gone, withdrawn or expired, are dropped before, up to 1000;
--   'late' if queue_until has passed: Redis was held up, and the client has its answer. Also 'late' if recall.lua has found
--   the submit absent: the gateway has decided by that, so the job must not be queued after it.
--
-- A job names the server that has queued it. A server that was restarted, or has replaced another, may have lost the last
-- writes. So it does not know which of the older jobs were started.

local server = this_server()
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

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
local waiting, outcomes, behind = {}, { server, clock[1], clock[2] }, {}
local queued = 0
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local id, lane, goes_first = ARGV[at + ID], ARGV[at + LANE], ARGV[at + GOES_FIRST] == '1'
  waiting[lane] = waiting[lane] or length_of(lane)
  if now > tonumber(ARGV[at + QUEUE_UNTIL]) then
    outcomes[#outcomes + 1] = 'late'
  elseif waiting[lane] >= limits[lane] and not goes_first then
    outcomes[#outcomes + 1] = 'full'
  else
    fields[base + 1], fields[base + 2] = 'data', ARGV[at + DATA]
    fields[base + 3], fields[base + 4] = 'created_at', ARGV[at + TIME]
    fields[base + 5], fields[base + 6] = 'enqueued_at', ARGV[at + TIME]
    fields[base + 7], fields[base + 8] = 'description', ARGV[at + DESCRIPTION]
    fields[base + 9], fields[base + 10] = 'origin', lane
    fields[base + 11], fields[base + 12] = 'gateway', gateway_id
    fields[base + 13], fields[base + 14] = 'server', server
    fields[base + 15], fields[base + 16] = 'again', ARGV[at + MAY_REPEAT]
    if redis.call('HSET', JOB_PREFIX .. id, unpack(fields)) < #fields / 2 then
      -- Some of the fields existed: they are the tombstone of recall.lua.
      redis.call('DEL', JOB_PREFIX .. id)
      outcomes[#outcomes + 1] = 'late'
    else
      -- The gateway withdraws the job after ttl. The extra second is for a gateway that cannot.
      redis.call('EXPIRE', JOB_PREFIX .. id, ttl + 1)
      behind[lane] = behind[lane] or {}
      if goes_first then redis.call('LPUSH', queue_keys[lane], id) else table.insert(behind[lane], id) end
      waiting[lane] = waiting[lane] + 1
      outcomes[#outcomes + 1] = 'queued'
      queued = queued + 1
    end
  end
end

if queued > 0 then
  for lane, ids in pairs(behind) do
    if #ids > 0 then redis.call('RPUSH', queue_keys[lane], unpack(ids)) end
    redis.call('EXPIRE', queue_keys[lane], ttl + QUEUE_GRACE_SECONDS)
  end
  local tokens = {}
  for i = 1, math.min(queued, most_wake_ups - redis.call('LLEN', wake_up_key)) do tokens[i] = '1' end
  if #tokens > 0 then redis.call('LPUSH', wake_up_key, unpack(tokens)) end
  redis.call('EXPIRE', wake_up_key, WAKE_UP_TTL_SECONDS)
end

-- The gateway that submits is alive, even if Redis has just restarted and does not know it. This is the last step: Redis
-- carries out EXPIRE also without memory, and then whatever follows it in the script.
if redis.call('EXPIRE', gateway_key, gateway_ttl) == 0 then redis.call('SET', gateway_key, WIRE_VERSION, 'EX', gateway_ttl) end
return outcomes
