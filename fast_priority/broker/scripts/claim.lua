-- Start as many waiting requests as the worker has slots for: high first, oldest first.
--
-- Skipped for good: what was withdrawn or has expired (its job is gone), what is not queued (rq cancelled it, or its id
-- stood on the queue twice), what a gateway asked for that is no longer there, and what another server took, or this one
-- before a restart: it may have been started since, and its gateway decides. Constant work for each request.
--
-- A claim that was sent ahead, behind a wait for work, is carried out even if its worker has frozen meanwhile or is cut
-- off. So it takes only what can be queued again then, and stops at the first that cannot: that is for a claim that is
-- sent when there is work.
--
-- Asked again with the same execution id, because the answer was lost, it gives the same requests again, with a new lease.
--
-- KEYS: 1 queue high, 2 queue low, 3 started high, 4 started low, 5 wake-up list, 6 rq's suspension, 7 the last claim
-- ARGV: 1 job key prefix, 2 gateway key prefix, 3 slots free, 4 worker name, 5 execution id, 6 lease milliseconds,
--       7 the time as rq writes it, 8 wake-up TTL, 9 most jobs looked at, 10 '1' if this is asked again,
--       11 inbox key prefix, 12 inbox TTL, 13 the part of a frame that says that a request was not sent,
--       14 '1' if this was sent ahead
-- Returns { suspended, work that is left for another claim, { id, queue name, gateway id, data }, ... }; the gateway id
-- is '' for a job that no gateway made.

local prefix, gateways = ARGV[1], ARGV[2]
local free, lease, budget = tonumber(ARGV[3]), tonumber(ARGV[6]), tonumber(ARGV[9])
local lanes = { { 'high', KEYS[1], KEYS[3] }, { 'low', KEYS[2], KEYS[4] } }
local ends = tonumber(redis.call('TIME')[1]) + math.ceil(lease / 1000)
local server = this_server()

local claimed = { 0, 0 }
if ARGV[10] == '1' then
  local last = redis.call('LRANGE', KEYS[7], 0, -1)
  if last[1] == ARGV[5] then
    for i = 2, #last, 2 do
      local found = redis.call('HMGET', prefix .. last[i], 'data', 'gateway')
      if found[1] then
        redis.call('PEXPIRE', prefix .. last[i], lease)
        claimed[#claimed + 1] = { last[i], last[i + 1], found[2] or '', found[1] }
      end
    end
    return claimed
  end
end

if redis.call('EXISTS', KEYS[6]) == 1 then return { 1, 0 } end

-- What is no list concerns nobody's work: the tokens are there to save time.
if not pcall(redis.call, 'LLEN', KEYS[5]) then redis.call('DEL', KEYS[5]) end

local started_now = {}
for _, lane in ipairs(lanes) do
  local name, queue, started = lane[1], lane[2], lane[3]
  while free > 0 and budget > 0 and claimed[2] == 0 do
    local id = redis.call('LPOP', queue)
    if not id then break end
    budget = budget - 1
    local job = prefix .. id
    local is_hash, found = pcall(redis.call, 'HMGET', job, 'data', 'gateway', 'status', 'server', 'again')
    found = is_hash and found or {} -- a key that is none concerns nobody else
    local data, gateway = found[1], found[2] or ''
    if data and (#id > 255 or not string.find(id, '^[%w_-]+$')) then
      redis.call('DEL', job) -- no tool of rq's can name it
    elseif data and found[3] == 'queued' then
      if gateway ~= '' and found[4] ~= server then
        redis.call('DEL', job)
      elseif gateway ~= '' and redis.call('EXISTS', gateways .. gateway) == 0 then
        -- Should it live after all (Redis may have been held up for longer than its sign of life is good), it hears so: of
        -- the last one first, for each is queued again in front of all others.
        redis.call('DEL', job)
        redis.call('LPUSH', ARGV[11] .. gateway, '\146\217' .. string.char(#id) .. id .. ARGV[13])
        redis.call('EXPIRE', ARGV[11] .. gateway, ARGV[12])
      elseif ARGV[14] == '1' and found[5] ~= '1' then
        -- A list that was empty for this moment is a new one, without an end.
        if redis.call('LPUSH', queue, id) == 1 then redis.call('PEXPIRE', queue, redis.call('PTTL', job) + 60000) end
        claimed[2] = 1
      else
        redis.call('HSET', job, 'status', 'started', 'started_at', ARGV[7], 'last_heartbeat', ARGV[7], 'worker_name', ARGV[4])
        redis.call('PEXPIRE', job, lease)
        redis.call('ZADD', started, ends, id .. ':' .. ARGV[5])
        redis.call('PEXPIRE', started, lease + 60000)
        claimed[#claimed + 1] = { id, name, gateway, data }
        started_now[#started_now + 1] = id
        started_now[#started_now + 1] = name
        free = free - 1
      end
    end
  end
end
if #started_now > 0 then
  redis.call('DEL', KEYS[7])
  redis.call('RPUSH', KEYS[7], ARGV[5], unpack(started_now))
  redis.call('PEXPIRE', KEYS[7], lease)
end

-- Tokens left over would wake workers for nothing; none left while work remains would let them sleep.
if redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[5])
elseif redis.call('LLEN', KEYS[5]) == 0 and claimed[2] == 0 then
  redis.call('LPUSH', KEYS[5], '1')
  redis.call('EXPIRE', KEYS[5], ARGV[8])
end
return claimed
