-- Look after a gateway's waiting requests: which jobs are still there, and is anything left to read for it?
--
-- KEYS: 1 the gateway's inbox, 2 what it has set aside of it
-- ARGV: 1 job key prefix, then the ids
-- Returns { this server's run id, frames left to read, status or '' for each request }; '' means that the job is gone, or
-- that it waits where no worker will take it: another server took it, or this one before a restart.

local server = this_server()
local seen = { server, redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) }
for i = 2, #ARGV do
  local found = redis.call('HMGET', ARGV[1] .. ARGV[i], 'status', 'server')
  local waits_in_vain = found[1] == 'queued' and found[2] ~= server
  seen[#seen + 1] = not waits_in_vain and found[1] or ''
end
return seen
