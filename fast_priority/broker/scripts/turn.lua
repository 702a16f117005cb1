-- One turn of a gateway that has slots of its own: settle the requests that have ended, start or queue the new ones, and
-- claim for the free slots. A request that starts at once costs a lease and nothing else.
--
-- The order is strict. In each lane, second attempts go first, then the requests of the queue, then the new ones. A request
-- starts only if nothing that this gateway could take waits in a lane before its own. claiming.lua says what is skipped.
--
-- A new request that has to wait needs its data, which a gateway leaves out where a start is likely. Without it, the outcome
-- is 'data', nothing has happened, and the gateway sends the request again.
--
-- A job of this gateway that is claimed is removed: nobody else has to know it any more. Another gateway whose request is
-- claimed gets a Go at once: it talks to the target itself, and this gateway holds the slot for it. The job of such a
-- request stays, as with a worker.
--
-- A gateway whose answer was lost sends the turn again without new requests, with the same execution id. It gets the same
-- claims.
--
-- Keys:      queue_keys, started_keys; wake_up_key: the list of wake-up tokens; suspended_key: rq's suspension;
--            last_claim_key: what this gateway claimed with its last turn of the same number; gateway_key: its sign of life;
--            levels_key: the note of levels (lanes.lua)
-- Arguments: gateway_id, execution_id; time: as rq writes it; not_sent_part, go_part: for frames; free_slots, lease_ms;
--            most_jobs: the most jobs to look at; most_wake_ups, gateway_ttl_ms; is_retry; lanes; holds_levels, levels,
--            change, limits, job_fields: as in submit.lua; settled: for each request that has ended its lane, the member of its
--            lease, and the id of its job, '' if it has none; returned: ids of this gateway's requests that had a slot of
--            another process and need it no more; cancel_part: for the frames to those processes
-- Requests:  as in submit.lua: id, lane, time, description, queue_until, goes_first, may_repeat, ttl; data: '' if a start is
--            likely
-- Returns { 1 if rq suspends the workers, how many requests wait, this server's run id or '' if nobody needed it, its clock's
--   seconds and microseconds, { for each request its outcome }, { for each claim { id, lane, gateway id, wire version } } }.
-- The outcomes are 'started', 'data', and those of submit.lua.

local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local ended = {}
for i = 1, #settled, 3 do
  local lane, job_id = settled[i], settled[i + 2]
  ended[lane] = ended[lane] or {}
  table.insert(ended[lane], settled[i + 1])
  if job_id ~= '' then redis.call('DEL', JOB_PREFIX .. job_id) end
end
for lane, members in pairs(ended) do pcall(redis.call, 'ZREM', started_keys[lane], unpack(members)) end
for _, id in ipairs(returned) do
  local is_hash, holder = pcall(redis.call, 'HGET', JOB_PREFIX .. id, 'worker_name')
  if is_hash and holder and holder ~= '' then
    -- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
    redis.call('EXPIRE', INBOX_PREFIX .. holder, INBOX_TTL_SECONDS)
    push_frame(holder, id, cancel_part, WIRE_VERSION)
  else
    redis.call('SET', CANCELLED_PREFIX .. id, '1', 'EX', CANCELLED_TTL_SECONDS) -- as in withdraw.lua
  end
end

local claims, outcomes = {}, {}
if is_retry then
  local last = redis.call('GET', last_claim_key) or ''
  if string.match(last, '^%S+') == execution_id then
    for id, lane, gateway, version in string.gmatch(last, ' (%S+) (%S+) (%S+) (%d+)') do
      if gateway ~= gateway_id then redis.call('PEXPIRE', JOB_PREFIX .. id, lease_ms) end
      claims[#claims + 1] = { id, lane, gateway == '-' and '' or gateway, tonumber(version) }
    end
    return { 0, 0, '', clock[1], clock[2], outcomes, claims }
  end
end

gateway_states[gateway_id] = 'alive' -- it has sent this turn, so it can show its sign of life

local is_suspended = redis.call('EXISTS', suspended_key) == 1
local free, has_claimed = is_suspended and 0 or free_slots, false
local note, leases, lengths = { execution_id }, {}, {}
local is_open = true -- whether nothing that this gateway could take waits in the lanes so far

local function start_claimed(id, found, lane)
  local job, gateway, version = JOB_PREFIX .. id, found[2] or '', version_in(found[6])
  -- A gateway's id becomes a part of a key and of the note.
  if gateway ~= '' and not string.find(gateway, '^[%w_-]+$') then gateway = '' end
  if gateway == gateway_id then
    redis.call('DEL', job)
  else
    redis.call('HSET', job, 'status', 'started', 'started_at', time, 'last_heartbeat', time, 'worker_name', gateway_id)
    redis.call('PEXPIRE', job, lease_ms)
    if gateway ~= '' then push_frame(gateway, id, go_part, version) end
  end
  leases[#leases + 1] = id .. ':' .. execution_id
  claims[#claims + 1] = { id, lane, gateway, version }
  for _, part in ipairs({ id, lane, gateway == '' and '-' or gateway, version }) do note[#note + 1] = part end
end

local function start_new(at)
  leases[#leases + 1] = ARGV[at + ID] .. ':' .. execution_id
  free = free - 1
  return 'started'
end

local function is_late(at) return now > tonumber(ARGV[at + QUEUE_UNTIL]) end

local function queue_new(at, lane)
  if ARGV[at + DATA] == '' then return 'data' end
  local goes_first = ARGV[at + GOES_FIRST] == '1'
  if lengths[lane] >= limits[lane] and not goes_first then
    lengths[lane] = length_of(lane) + #(behind[lane] or {}) -- those of this turn are not on the queue yet
  end
  if lengths[lane] >= limits[lane] and not goes_first then return 'full' end
  server = server or this_server()
  if not queue_request(at, server) then return 'late' end
  lengths[lane] = lengths[lane] + 1
  return 'queued'
end

local rows_of = {}
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local lane = ARGV[at + LANE]
  rows_of[lane] = rows_of[lane] or {}
  table.insert(rows_of[lane], at)
end
for _, lane in ipairs(lanes) do
  local rows = rows_of[lane] or {}
  leases = {}
  for _, at in ipairs(rows) do
    if ARGV[at + GOES_FIRST] == '1' and is_open and free > 0 then
      outcomes[(at - FIRST_ROW) / ROW_SIZE + 1] = is_late(at) and 'late' or start_new(at)
    end
  end
  lengths[lane] = redis.call('LLEN', queue_keys[lane])
  if lengths[lane] > 0 and free > 0 then
    free, has_claimed = claim_from(lane, free, start_claimed), true
    lengths[lane] = redis.call('LLEN', queue_keys[lane])
  elseif lengths[lane] == 0 then
    lanes_taken_up = lanes_taken_up + 1
  end
  is_open = is_open and lengths[lane] <= (out_of_reach[lane] or 0)
  for _, at in ipairs(rows) do
    local row = (at - FIRST_ROW) / ROW_SIZE + 1
    if not outcomes[row] then
      if is_late(at) then
        outcomes[row] = 'late'
      elseif is_open and free > 0 then
        outcomes[row] = start_new(at)
      else
        outcomes[row] = queue_new(at, lane)
      end
    end
  end
  is_open = is_open and lengths[lane] <= (out_of_reach[lane] or 0)
  add_leases(lane, leases)
end

local waiting = 0
for _, lane in ipairs(lanes) do waiting = waiting + lengths[lane] end
if #note > 1 then redis.call('SET', last_claim_key, table.concat(note, ' '), 'PX', lease_ms) end
if queued > 0 then
  put_behind()
elseif has_claimed then
  settle_wake_ups()
end
if queued > 0 then
  note_sign_of_life()
  note_levels()
end
return { is_suspended and 1 or 0, waiting, server or '', clock[1], clock[2], outcomes, claims }
