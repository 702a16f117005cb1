-- Return the state of submits whose answer was lost. A submit that is absent can never be queued later: a tombstone
-- takes the place of its job until everything that is still on the way has arrived.
--
-- A worker pushes its reply on the inbox and removes the job in one step. So if a job is absent, its reply is in the inbox
-- by now, or there is no reply. The marker that is pushed here comes behind the reply: a gateway that has read the marker
-- has read the reply.
--
-- Keys:      inbox_key: the gateway's inbox
-- Arguments: marker: a frame; ids
-- Returns { this server's run id, its clock's seconds and microseconds, then for each id 'queued', 'started' or 'absent' }.

-- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
redis.call('EXPIRE', inbox_key, INBOX_TTL_SECONDS)

local clock = redis.call('TIME')
local states = { this_server(), clock[1], clock[2] }
local some_are_absent = false
for _, id in ipairs(ids) do
  local job = JOB_PREFIX .. id
  local status = redis.call('HGET', job, 'status')
  local is_absent = not status or status == 'recalled' -- the tombstone of an earlier call, whose answer was lost
  if is_absent then
    redis.call('HSET', job, 'status', 'recalled')
    redis.call('EXPIRE', job, TOMBSTONE_TTL_SECONDS)
    some_are_absent = true
  end
  states[#states + 1] = is_absent and 'absent' or status == 'queued' and 'queued' or 'started'
end
if some_are_absent and pcall(redis.call, 'RPUSH', inbox_key, marker) then redis.call('EXPIRE', inbox_key, INBOX_TTL_SECONDS) end
return states
