-- Ask what became of submits whose answer was lost. One that is absent can never be queued later: a tombstone stands in the
-- place of its job until whatever is still under way has come.
--
-- A reply is pushed on the inbox, and its job removed, in one step. So with an absent job its reply lies in the inbox by now,
-- or there is none. The marker that is pushed here stands behind it: who has read the marker has read the reply.
--
-- KEYS: 1 the gateway's inbox
-- ARGV: 1 job key prefix, 2 inbox TTL, 3 the marker, a frame, 4 seconds a tombstone lives, then the ids
-- Returns { this server's run id, its clock's seconds and microseconds, then for each id 'queued', 'started' or 'absent' }.

-- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
redis.call('EXPIRE', KEYS[1], ARGV[2])

local time = redis.call('TIME')
local states = { this_server(), time[1], time[2] }
local some_are_absent = false
for i = 5, #ARGV do
  local job = ARGV[1] .. ARGV[i]
  local status = redis.call('HGET', job, 'status')
  local is_absent = not status or status == 'recalled' -- by an earlier question, whose answer was lost
  if is_absent then
    redis.call('HSET', job, 'status', 'recalled')
    redis.call('EXPIRE', job, ARGV[4])
    some_are_absent = true
  end
  states[#states + 1] = is_absent and 'absent' or status == 'queued' and 'queued' or 'started'
end
if some_are_absent and pcall(redis.call, 'RPUSH', KEYS[1], ARGV[3]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return states
