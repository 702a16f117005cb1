-- Look after a gateway's waiting requests: which jobs are still there, which leases end soon, and is anything left to read?
--
-- KEYS: 1 the gateway's inbox, 2 what it has set aside of it, 3 started high, 4 started low
-- ARGV: 1 job key prefix, then the ids
-- Returns { this server's run id, its clock's seconds and microseconds, frames left to read, ids of requests (of any gateway)
-- whose lease ends within 2 s or has ended, status or '' for each request }; '' means that the job is gone, or that it waits
-- where no worker will take it: another server took it, or this one before a restart.
--
-- A worker that lives renews each lease 2.5 s before its end. Of one that has ended, other workers clear the registry at
-- once, so it has to be seen before.

local server = this_server()
local time = redis.call('TIME')
local soon = tonumber(time[1]) + 2
local ending = {}
for lane = 3, 4 do
  -- What is no sorted set says nothing of leases.
  local is_set, members = pcall(redis.call, 'ZRANGEBYSCORE', KEYS[lane], '-inf', soon, 'LIMIT', 0, 1000)
  for _, member in ipairs(is_set and members or {}) do ending[#ending + 1] = string.match(member, '^[^:]*') end
end

local seen = { server, time[1], time[2], redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]), ending }
for i = 2, #ARGV do
  local found = redis.call('HMGET', ARGV[1] .. ARGV[i], 'status', 'server')
  local waits_in_vain = found[1] == 'queued' and found[2] ~= server
  seen[#seen + 1] = not waits_in_vain and found[1] or ''
end
return seen
