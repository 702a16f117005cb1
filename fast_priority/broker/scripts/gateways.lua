-- A part of the scripts that judge whether a gateway is gone.
--
-- A gateway is alive while its sign of life lasts. The end of that sign proves nothing by itself: the clock of Redis goes on
-- while Redis hangs or its machine is suspended, and it can be set. Then the signs of gateways that live end as well. So each
-- renewal of leases notes in REDIS_RUN that Redis runs. Notes that follow each other within REDIS_GAP_MILLISECONDS, on one
-- server, are one run. A gateway without a sign of life is
--   'gone' if the run has lasted for longer than a gateway that lives needs to show its next sign;
--   'unknown' otherwise. Then its requests are neither sent nor dropped, and its calls go on.
-- Without workers there are no notes, and the first worker that comes begins a run. Until that has lasted long enough it
-- starts only requests of gateways that are alive.

local function now_in_milliseconds()
  local clock = redis.call('TIME')
  return tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
end

-- When the present run of Redis began: now, if nothing is known of an earlier moment.
local function run_began_at(server, now)
  local is_text, note = pcall(redis.call, 'GET', REDIS_RUN)
  local noted_server, began_at, noted_at = string.match(is_text and note or '', '^(%x*) (%d+) (%d+)$')
  local goes_on = noted_server == server and math.abs(now - tonumber(noted_at)) <= REDIS_GAP_MILLISECONDS
  return goes_on and tonumber(began_at) or now
end

local has_run_long

-- Note that Redis runs.
local function note_run()
  local server, now = this_server(), now_in_milliseconds()
  local began_at = run_began_at(server, now)
  redis.call('SET', REDIS_RUN, string.format('%s %.0f %.0f', server, began_at, now), 'EX', REDIS_RUN_TTL_SECONDS)
  has_run_long = now - began_at >= GATEWAYS_ARE_BACK_MILLISECONDS
end

local gateway_states = {}

-- Return 'alive', 'gone' or 'unknown'.
local function state_of(gateway)
  if not gateway_states[gateway] then
    local is_alive = redis.call('EXISTS', GATEWAY_PREFIX .. gateway) == 1
    if not is_alive and has_run_long == nil then
      local now = now_in_milliseconds()
      has_run_long = now - run_began_at(this_server(), now) >= GATEWAYS_ARE_BACK_MILLISECONDS
    end
    gateway_states[gateway] = is_alive and 'alive' or has_run_long and 'gone' or 'unknown'
  end
  return gateway_states[gateway]
end
