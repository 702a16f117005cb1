-- Put requests on their queues, as rq jobs, unless a queue is full. The cost does not depend on the lengths of the queues.
--
-- Keys:      queue_keys; wake_up_key: the list of wake-up tokens; gateway_key: the gateway's sign of life; levels_key: the note
--            of levels (lanes.lua)
-- Arguments: gateway_id, most_wake_ups, gateway_ttl_ms, lanes; holds_levels: whether the levels in force are this gateway's;
--            levels: their names, with a space between them; change: as in the note;
--            job_fields: field-value pairs that all jobs have; limits: the most requests that may wait in each lane
-- Requests:  id, lane, data, time, description; queue_until: by the clock of Redis; goes_first: '1' for a second attempt;
--            ttl: seconds that it may wait; may_repeat: '1' if the request may be queued again when its worker is lost
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

local waiting, outcomes = {}, { server, clock[1], clock[2] }
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local lane, goes_first = ARGV[at + LANE], ARGV[at + GOES_FIRST] == '1'
  waiting[lane] = waiting[lane] or length_of(lane)
  if now > tonumber(ARGV[at + QUEUE_UNTIL]) then
    outcomes[#outcomes + 1] = 'late'
  elseif waiting[lane] >= limits[lane] and not goes_first then
    outcomes[#outcomes + 1] = 'full'
  elseif queue_request(at, server) then
    waiting[lane] = waiting[lane] + 1
    outcomes[#outcomes + 1] = 'queued'
  else
    outcomes[#outcomes + 1] = 'late'
  end
end

if queued > 0 then put_behind() end
note_sign_of_life()
note_levels()
return outcomes
