-- Return whether a gateway lives, for a job of a stock rq worker, and note that Redis runs.
--
-- Arguments: gateway_id
-- Returns 'alive', 'gone' or 'unknown': gateways.lua says what they mean.

-- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
redis.call('EXPIRE', REDIS_RUN, REDIS_RUN_TTL_SECONDS)
note_run()
return state_of(gateway_id)
