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

local prefix, gateways, claims = ARGV[1], ARGV[2], KEYS[7]
local free, lease, budget = tonumber(ARGV[3]), tonumber(ARGV[6]), tonumber(ARGV[9])

local claimed = { 0, 0 }
if ARGV[10] == '1' then
  local last = redis.call('GET', claims) or ''
  if string.match(last, '^%S+') == ARGV[5] then
    for id, name in string.gmatch(last, ' (%S+) (%S+)') do
      local found = redis.call('HMGET', prefix .. id, 'data', 'gateway')
      if found[1] then
        redis.call('PEXPIRE', prefix .. id, lease)
        claimed[#claimed + 1] = { id, name, found[2] or '', found[1] }
      end
    end
    return claimed
  end
end

if redis.call('EXISTS', KEYS[6]) == 1 then return { 1, 0 } end

local server
local function is_of_this_server(job_server)
  server = server or this_server()
  return job_server == server
end

local living = {}
local function lives(gateway)
  if living[gateway] == nil then living[gateway] = redis.call('EXISTS', gateways .. gateway) == 1 end
  return living[gateway]
end

local function put_back(queue, ids, first)
  local again = {}
  for i = #ids, first, -1 do again[#again + 1] = ids[i] end
  -- A list that was empty for this moment is a new one, without an end.
  if redis.call('LPUSH', queue, unpack(again)) == #again then
    redis.call('PEXPIRE', queue, redis.call('PTTL', prefix .. ids[first]) + 60000)
  end
end

-- What is to be said of a job that stands on the queue: 'start', 'skip', or 'leave' it to another claim.
local function fate(id, found)
  local data, gateway = found[1], found[2] or ''
  if data and (#id > 255 or not string.find(id, '^[%w_-]+$')) then
    redis.call('DEL', prefix .. id) -- no tool of rq's can name it
  elseif data and found[3] == 'queued' then
    if gateway ~= '' and not is_of_this_server(found[4]) then
      redis.call('DEL', prefix .. id)
    elseif gateway ~= '' and not lives(gateway) then
      -- Should it live after all (Redis may have been held up for longer than its sign of life is good), it hears so: of
      -- the last one first, for each is queued again in front of all others.
      redis.call('DEL', prefix .. id)
      pcall(redis.call, 'LPUSH', ARGV[11] .. gateway, '\146\217' .. string.char(#id) .. id .. ARGV[13])
      redis.call('EXPIRE', ARGV[11] .. gateway, ARGV[12])
    else
      return ARGV[14] == '1' and found[5] ~= '1' and 'leave' or 'start'
    end
  end
  return 'skip'
end

local note, known_empty = { ARGV[5] }, 0
for lane, name in ipairs({ 'high', 'low' }) do
  local queue, started, leases = KEYS[lane], KEYS[lane + 2], {}
  while free > 0 and budget > 0 and claimed[2] == 0 do
    local asked = math.min(free, budget)
    local ids = redis.call('LPOP', queue, asked) or {}
    for i, id in ipairs(ids) do
      local job = prefix .. id
      local is_hash, found = pcall(redis.call, 'HMGET', job, 'data', 'gateway', 'status', 'server', 'again')
      found = is_hash and found or {} -- a key that is none concerns nobody else
      local what = fate(id, found)
      if what == 'leave' then
        put_back(queue, ids, i)
        claimed[2] = 1
        break
      elseif what == 'start' then
        redis.call('HSET', job, 'status', 'started', 'started_at', ARGV[7], 'last_heartbeat', ARGV[7], 'worker_name', ARGV[4])
        redis.call('PEXPIRE', job, lease)
        leases[#leases + 1] = id .. ':' .. ARGV[5]
        claimed[#claimed + 1] = { id, name, found[2] or '', found[1] }
        note[#note + 1] = id
        note[#note + 1] = name
        free = free - 1
      end
      budget = budget - 1
    end
    if #ids < asked then
      known_empty = known_empty + 1
      break
    end
  end
  if #leases > 0 then
    local ends = tonumber(redis.call('TIME')[1]) + math.ceil(lease / 1000)
    local scored = {}
    for _, member in ipairs(leases) do
      scored[#scored + 1] = ends
      scored[#scored + 1] = member
    end
    -- What is no sorted set says nothing of leases, and must not cost what was taken.
    if not pcall(redis.call, 'ZADD', started, unpack(scored)) then
      redis.call('DEL', started)
      redis.call('ZADD', started, unpack(scored))
    end
    redis.call('PEXPIRE', started, lease + 60000)
  end
end
if #note > 1 then redis.call('SET', claims, table.concat(note, ' '), 'PX', lease) end

-- Tokens left over would wake workers for nothing; none left while work remains would let them sleep. What is no list
-- concerns nobody's work: the tokens are there to save time.
if claimed[2] == 1 then return claimed end
if known_empty == 2 or redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[5])
else
  local is_list, tokens = pcall(redis.call, 'LLEN', KEYS[5])
  if not is_list then redis.call('DEL', KEYS[5]) end
  if not is_list or tokens == 0 then
    redis.call('LPUSH', KEYS[5], '1')
    redis.call('EXPIRE', KEYS[5], ARGV[8])
  end
end
return claimed
