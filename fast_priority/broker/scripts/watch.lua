-- Look after a gateway's waiting requests: which jobs are still there, and is anything left to read for it?
--
-- KEYS: 1 the gateway's inbox
-- ARGV: 1 job key prefix, then the ids
-- Returns { answers left in the inbox, status or '' for each request }; '' means that the job is gone.

local found = { redis.call('LLEN', KEYS[1]) }
for i = 2, #ARGV do found[i] = redis.call('HGET', ARGV[1] .. ARGV[i], 'status') or '' end
return found
