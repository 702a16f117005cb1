-- Check the waiting requests of a gateway: which jobs still exist, which leases end soon, are frames left to read?
--
-- Keys:      inbox_key: the gateway's inbox; processing_key: its processing list; started_keys
-- Arguments: lanes, ids
-- Returns { this server's run id, its clock's seconds and microseconds, the number of frames left to read, the ids of
--   requests (of any gateway) whose lease ends within 2 s or has ended, then for each id its status }. The status is '' if
--   the job is gone, or if it waits where no worker takes it: another server, or this one before a restart, has queued it.
--   It is 'failed elsewhere' if an rq worker has failed with it that did not run our code: a worker of ours notes that it
--   does.
--
-- A live worker renews each lease 2.5 s before its end. Other workers clear an ended lease at once, so a gateway must see it
-- before its end.

local server = this_server()
local clock = redis.call('TIME')
local soon = tonumber(clock[1]) + 2
local ending = {}
for _, lane in ipairs(lanes) do
  -- Not a sorted set: it holds no leases.
  local is_set, members = pcall(redis.call, 'ZRANGEBYSCORE', started_keys[lane], '-inf', soon, 'LIMIT', 0, 1000)
  for _, member in ipairs(is_set and members or {}) do ending[#ending + 1] = string.match(member, '^[^:]*') end
end

local unread = redis.call('LLEN', inbox_key) + redis.call('LLEN', processing_key)
-- While its reader waits, a processing list begins with a placeholder, which is no frame.
if redis.call('LINDEX', processing_key, 0) == '' then unread = unread - 1 end

local states = { server, clock[1], clock[2], unread, ending }
for _, id in ipairs(ids) do
  local found = redis.call('HMGET', JOB_PREFIX .. id, 'status', 'server')
  local is_of_another_server = found[1] == 'queued' and found[2] ~= server
  local has_failed_elsewhere = found[1] == 'failed' and redis.call('HEXISTS', JOB_PREFIX .. id, 'forwarded') == 0
  states[#states + 1] = has_failed_elsewhere and 'failed elsewhere' or not is_of_another_server and found[1] or ''
end
return states
